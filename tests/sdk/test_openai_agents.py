"""`openai-agents` against Tollway, over chat completions."""

import asyncio
from typing import Any

import openai
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, RunConfig, Runner, function_tool
from openai import AsyncOpenAI
from pydantic import BaseModel

from support.gateway import Gateway
from support.replies import WORDS

TEXT = "".join(WORDS)
QUIET = RunConfig(tracing_disabled=True)  # tracing would call OpenAI itself


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


@function_tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"21 degrees in {city}"


def agent(gateway: Gateway, model: str, **fields: Any) -> Agent[None]:
    client = AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.project_key, max_retries=0)
    settings = ModelSettings(include_usage=True)
    chat = OpenAIChatCompletionsModel(model=model, openai_client=client)
    return Agent(name="tester", model=chat, model_settings=settings, **fields)


def run(asked: Agent[None]) -> Any:
    return asyncio.run(Runner.run(asked, "How is the weather in Paris?", run_config=QUIET))


def test_an_agent_answers_and_its_usage_is_counted(gateway: Gateway) -> None:
    result = run(agent(gateway, "stub/gpt"))
    assert result.final_output == TEXT
    assert result.context_wrapper.usage.total_tokens > 0


def test_an_agent_calls_its_tool_and_answers_with_the_result(gateway: Gateway) -> None:
    assert run(agent(gateway, "stub/tools", tools=[weather])).final_output == "The tool says: 21 degrees in Paris"


def test_an_agent_streams_through_a_tool_call(gateway: Gateway) -> None:
    async def stream() -> tuple[list[str], Any]:
        streamed = Runner.run_streamed(agent(gateway, "stub/tools", tools=[weather]), "Paris?", run_config=QUIET)
        kinds = [event.type async for event in streamed.stream_events()]
        return kinds, streamed.final_output

    kinds, output = asyncio.run(stream())
    assert "raw_response_event" in kinds
    assert output == "The tool says: 21 degrees in Paris"


def test_structured_output_is_parsed(gateway: Gateway) -> None:
    assert run(agent(gateway, "stub/structured", output_type=Weather)).final_output == Weather(city="Paris", degrees=21)


def test_a_rate_limit_is_raised_as_the_sdks_own(gateway: Gateway) -> None:
    with pytest.raises(openai.RateLimitError):
        run(agent(gateway, "stub/rate-limited"))
