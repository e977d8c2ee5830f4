"""`openai-agents` against Tollway, over chat completions and over responses."""

import asyncio
from typing import Any

import openai
import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from support.gateway import Gateway, new_mark
from support.replies import WORDS
from support.standin import StandIn

TEXT = "".join(WORDS)
QUIET = RunConfig(tracing_disabled=True)  # tracing would call OpenAI itself
PARIS = "How is the weather in Paris?"
each_api = pytest.mark.parametrize("api", [OpenAIChatCompletionsModel, OpenAIResponsesModel])
Api = type[OpenAIChatCompletionsModel] | type[OpenAIResponsesModel]


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


@function_tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"21 degrees in {city}"


def client_of(gateway: Gateway) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.project_key, max_retries=0)


def agent(gateway: Gateway, model: str, api: Api = OpenAIResponsesModel, *, mark: str = "", **fields: Any) -> Agent:
    settings = ModelSettings(include_usage=True, extra_body={"user": mark or new_mark()})
    asked = api(model=model, openai_client=client_of(gateway))
    return Agent(**{"name": "tester", "model": asked, "model_settings": settings} | fields)


def run(asked: Agent, said: str = PARIS, **fields: Any) -> Any:
    return asyncio.run(Runner.run(asked, said, run_config=QUIET, **fields))


def heard(standin: StandIn, mark: str) -> list[list[tuple[str, Any]]]:
    """Who said what in each request with this mark that the provider got."""
    bodies: list[Any] = [received.json for received in standin.marked(mark)]
    return [[(message["role"], message.get("content")) for message in body["messages"]] for body in bodies]


@each_api
def test_an_agent_answers_and_its_usage_is_counted(gateway: Gateway, api: Api) -> None:
    mark = new_mark()
    result = run(agent(gateway, "stub/gpt", api, mark=mark))
    assert result.final_output == TEXT
    entry, usage = gateway.entry(mark), result.context_wrapper.usage
    assert (usage.input_tokens, usage.output_tokens) == (entry["usage_input"], entry["usage_output"])
    assert entry["surface"] == ("responses" if api is OpenAIResponsesModel else "chat")


@each_api
def test_an_agent_calls_its_tool_and_answers_with_the_result(gateway: Gateway, api: Api) -> None:
    assert run(agent(gateway, "stub/tools", api, tools=[weather])).final_output == "The tool says: 21 degrees in Paris"


@each_api
def test_an_agent_streams_through_a_tool_call(gateway: Gateway, api: Api) -> None:
    async def stream() -> tuple[list[str], Any]:
        streamed = Runner.run_streamed(agent(gateway, "stub/tools", api, tools=[weather]), "Paris?", run_config=QUIET)
        kinds = [event.type async for event in streamed.stream_events()]
        return kinds, streamed.final_output

    kinds, output = asyncio.run(stream())
    assert "raw_response_event" in kinds
    assert output == "The tool says: 21 degrees in Paris"


@each_api
def test_structured_output_is_parsed(gateway: Gateway, api: Api) -> None:
    result = run(agent(gateway, "stub/structured", api, output_type=Weather))
    assert result.final_output == Weather(city="Paris", degrees=21)


@each_api
def test_an_agent_hands_over_to_another(gateway: Gateway, standin: StandIn, api: Api) -> None:
    mark = new_mark()
    expert = agent(gateway, "stub/gpt", api, name="expert", instructions="Know all.", mark=mark)
    result = run(agent(gateway, "stub/tools", api, handoffs=[expert]))
    assert (result.last_agent.name, result.final_output) == ("expert", TEXT)
    ((system, asked, call, handed),) = heard(standin, mark)
    assert (system[1], asked) == ("Know all.", ("user", PARIS))
    assert (call[0], handed[0]) == ("assistant", "tool")
    assert "expert" in handed[1]


@each_api
def test_a_rate_limit_is_raised_as_the_sdks_own(gateway: Gateway, api: Api) -> None:
    with pytest.raises(openai.RateLimitError):
        run(agent(gateway, "stub/rate-limited", api))


def test_a_dialogue_goes_on_from_the_response_before(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    first = run(agent(gateway, "stub/tools", tools=[weather], mark=mark), auto_previous_response_id=True)
    answer = "The tool says: 21 degrees in Paris"
    assert first.final_output == answer
    run(agent(gateway, "stub/gpt", mark=mark), "And in Rome?", previous_response_id=first.last_response_id)
    _, after_the_tool, second = heard(standin, mark)
    assert second == [*after_the_tool, ("assistant", answer), ("user", "And in Rome?")]


@pytest.mark.parametrize("kept", ["conversation", "session"])
def test_a_conversation_remembers(gateway: Gateway, standin: StandIn, kept: str) -> None:
    async def talk() -> None:
        client = client_of(gateway)
        made = await client.conversations.create()
        session = OpenAIConversationsSession(conversation_id=made.id, openai_client=client)
        where: Any = {"conversation_id": made.id} if kept == "conversation" else {"session": session}
        for said in ("One.", "Two."):
            await Runner.run(agent(gateway, "stub/gpt", mark=mark), said, run_config=QUIET, **where)

    mark = new_mark()
    asyncio.run(talk())
    assert heard(standin, mark) == [[("user", "One.")], [("user", "One."), ("assistant", TEXT), ("user", "Two.")]]
