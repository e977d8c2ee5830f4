"""`pydantic-ai` against Tollway: an agent with a tool and a typed answer, in all three dialects."""

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from support.gateway import Gateway
from support.obliging import TEXT, obliging
from support.standin import StandIn


class Place(BaseModel):
    """A place."""

    city: str
    degrees: int


def _model(dialect: str, gateway: Gateway) -> Model:
    url, key = gateway.url, gateway.project_key
    client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    openai = OpenAIProvider(openai_client=client)
    if dialect == "chat":
        return OpenAIChatModel("stub/obliging", provider=openai)
    if dialect == "responses":
        return OpenAIResponsesModel("stub/obliging", provider=openai)
    messages = AsyncAnthropic(base_url=url, api_key=key, max_retries=0)
    return AnthropicModel("stub/obliging", provider=AnthropicProvider(anthropic_client=messages))


each_dialect = pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])


@pytest.fixture(autouse=True)
def _obliging(standin: StandIn) -> None:
    standin.on("obliging", obliging)


@each_dialect
async def test_an_agent_calls_a_tool_and_answers(dialect: str, gateway: Gateway) -> None:
    agent = Agent(_model(dialect, gateway), instructions="Be brief.")
    heard: list[str] = []

    @agent.tool_plain
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        heard.append(city)
        return "21 degrees"

    result = await agent.run("How is the weather?")
    assert len(heard) == 1
    assert result.output == TEXT
    assert result.usage.output_tokens > 0


@each_dialect
async def test_an_answer_has_its_type(dialect: str, gateway: Gateway) -> None:
    result = await Agent(_model(dialect, gateway), output_type=Place).run("Where?")
    assert result.output.degrees == 3


@each_dialect
async def test_a_stream_gives_every_word(dialect: str, gateway: Gateway) -> None:
    async with Agent(_model(dialect, gateway)).run_stream("Say hello.") as stream:
        words = [text async for text in stream.stream_text(delta=True, debounce_by=None)]
    assert "".join(words) == TEXT
    assert len(words) > 1
