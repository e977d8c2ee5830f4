"""`langchain-openai` against Tollway."""

import asyncio
from typing import Any

import openai
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from support.gateway import UNPRICED, Gateway
from support.replies import WORDS

TEXT = "".join(WORDS)


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"21 degrees in {city}"


def chat(gateway: Gateway, model: str = "stub/gpt", **fields: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=model, base_url=f"{gateway.url}/v1", api_key=SecretStr(gateway.project_key), max_retries=0, **fields
    )


def test_a_chat_is_answered_and_counted(gateway: Gateway) -> None:
    message = chat(gateway).invoke("Say something.")
    assert message.content == TEXT
    assert message.usage_metadata is not None
    assert message.usage_metadata["total_tokens"] > 0


def test_a_stream_gives_every_word_and_the_usage(gateway: Gateway) -> None:
    chunks = list(chat(gateway, stream_usage=True).stream("Say something."))
    assert "".join(str(chunk.content) for chunk in chunks) == TEXT
    assert any(chunk.usage_metadata for chunk in chunks)


def test_the_asynchronous_stream_gives_every_word(gateway: Gateway) -> None:
    async def words() -> list[str]:
        return [str(chunk.content) async for chunk in chat(gateway).astream("Say something.")]

    assert "".join(asyncio.run(words())) == TEXT


def test_a_tool_is_called_and_its_result_answered(gateway: Gateway) -> None:
    bound = chat(gateway, "stub/tools").bind_tools([weather])
    asked: list[Any] = [("user", "How is the weather in Paris?")]
    call = bound.invoke(asked)
    result = weather.invoke(call.tool_calls[0])
    assert bound.invoke([*asked, call, result]).content == "The tool says: 21 degrees in Paris"


def test_structured_output_is_parsed(gateway: Gateway) -> None:
    answer = chat(gateway, "stub/structured").with_structured_output(Weather, method="json_schema").invoke("Paris?")
    assert answer == Weather(city="Paris", degrees=21)


def test_embeddings_are_made(gateway: Gateway) -> None:
    embeddings = OpenAIEmbeddings(
        model="stub/gpt",
        base_url=f"{gateway.url}/v1",
        api_key=SecretStr(gateway.project_key),
        check_embedding_ctx_length=False,  # it would fetch a tokenizer
    )
    assert embeddings.embed_documents(["a", "b"]) == [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("nowhere/gpt", openai.NotFoundError),
        ("stub/rate-limited", openai.RateLimitError),
        ("stub/broken", openai.InternalServerError),
        (UNPRICED, openai.UnprocessableEntityError),
    ],
)
def test_errors_are_raised_as_the_sdks_own(gateway: Gateway, model: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        chat(gateway, model).invoke("Say something.")
