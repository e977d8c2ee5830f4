"""The official `openai` SDK for Python against Tollway: synchronous and asynchronous."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel

from support.gateway import UNPRICED, Gateway, new_mark
from support.replies import WORDS
from support.spender import Spender

TEXT = "".join(WORDS)
MESSAGES: Any = [{"role": "user", "content": "Say something."}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Weather(BaseModel):
    """What the structured answers hold."""

    city: str
    degrees: int


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    """The SDK, pointed at Tollway as its documentation says."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.project_key, max_retries=0) as opened:
        yield opened


def in_async_client(gateway: Gateway, work: Callable[[AsyncOpenAI], Awaitable[Any]]) -> Any:
    """Run the work with the asynchronous SDK."""

    async def run() -> Any:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.project_key, max_retries=0) as opened:
            return await work(opened)

    return asyncio.run(run())


def test_a_chat_completion_is_parsed_and_its_cost_is_in_the_headers(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="stub/gpt", messages=MESSAGES)
    completion = raw.parse()
    assert completion.choices[0].message.content == TEXT
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0
    assert float(raw.headers["x-tollway-cost"]) > 0
    assert (raw.headers["x-tollway-provider"], raw.headers["x-tollway-model"]) == ("stub", "gpt")
    assert completion._request_id == raw.headers["x-request-id"]


def test_a_field_of_tomorrow_reaches_the_sdk(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="stub/gpt", messages=MESSAGES)
    assert completion.model_extra == {"a_field_of_tomorrow": {"kept": [1, 2.5, None]}}


def test_a_stream_gives_every_word(client: OpenAI) -> None:
    with client.chat.completions.create(model="stub/gpt", messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_gives_usage_if_asked(client: OpenAI) -> None:
    options: Any = {"include_usage": True}
    stream = client.chat.completions.create(model="stub/gpt", messages=MESSAGES, stream=True, stream_options=options)
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage is not None


def test_the_stream_helper_puts_a_tool_call_together(client: OpenAI) -> None:
    with client.chat.completions.stream(model="stub/tools", messages=MESSAGES, tools=[WEATHER]) as stream:
        call = stream.get_final_completion().choices[0].message.tool_calls
    assert call is not None
    assert (call[0].function.name, call[0].function.parsed_arguments) == ("weather", {"city": "Paris"})


def test_a_tool_result_is_answered(client: OpenAI) -> None:
    first = client.chat.completions.create(model="stub/tools", messages=MESSAGES, tools=[WEATHER]).choices[0].message
    assert first.tool_calls is not None
    result: Any = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "21 degrees"}
    second = client.chat.completions.create(
        model="stub/tools", messages=[*MESSAGES, first.model_dump(), result], tools=[WEATHER]
    )
    assert second.choices[0].message.content == "The tool says: 21 degrees"


def test_structured_output_is_parsed(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(model="stub/structured", messages=MESSAGES, response_format=Weather)
    assert parsed.choices[0].message.parsed == Weather(city="Paris", degrees=21)


def test_completions_plain_and_streamed_say_the_same(client: OpenAI) -> None:
    whole = client.completions.create(model="stub/gpt", prompt="Say").choices[0].text
    parts = client.completions.create(model="stub/gpt", prompt="Say", stream=True)
    assert "".join(part.choices[0].text for part in parts) == whole == TEXT


def test_embeddings_come_in_the_base64_that_the_sdk_asks_for(client: OpenAI) -> None:
    rows = client.embeddings.create(model="stub/gpt", input=["a", "b"]).data
    assert [row.embedding for row in rows] == [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]


def test_models_are_listed_and_found(client: OpenAI) -> None:
    assert "stub/gpt" in [model.id for model in client.models.list()]
    assert client.models.retrieve("stub/gpt").id == "stub/gpt"


def test_the_asynchronous_client_chats_streams_and_embeds(gateway: Gateway) -> None:
    async def work(client: AsyncOpenAI) -> tuple[str | None, str, int]:
        whole = await client.chat.completions.create(model="stub/gpt", messages=MESSAGES)
        stream = await client.chat.completions.create(model="stub/gpt", messages=MESSAGES, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
        vectors = await client.embeddings.create(model="stub/gpt", input="a")
        return whole.choices[0].message.content, "".join(words), len(vectors.data)

    assert in_async_client(gateway, work) == (TEXT, TEXT, 1)


def test_many_asynchronous_requests_at_once_all_get_their_own_answer(gateway: Gateway) -> None:
    marks = [new_mark() for _ in range(64)]

    async def work(client: AsyncOpenAI) -> list[Any]:
        return await asyncio.gather(
            *(client.chat.completions.create(model="stub/gpt", messages=MESSAGES, user=mark) for mark in marks)
        )

    assert len({completion.id for completion in in_async_client(gateway, work)}) == len(marks)


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("nowhere/gpt", openai.NotFoundError, "model_not_found"),
        (UNPRICED, openai.UnprocessableEntityError, "model_not_priced"),
        ("stub/bad-request", openai.BadRequestError, "context_length_exceeded"),
        ("stub/wrong-key", openai.AuthenticationError, "invalid_api_key"),
        ("stub/forbidden", openai.PermissionDeniedError, "unsupported_country_region_territory"),
        ("stub/missing", openai.NotFoundError, "model_not_found"),
        ("stub/rate-limited", openai.RateLimitError, "rate_limit_exceeded"),
        ("stub/broken", openai.InternalServerError, "internal_error"),
        ("stub/unavailable", openai.InternalServerError, "unavailable"),
        ("stub/overloaded", openai.InternalServerError, "overloaded_error"),
        ("stub/malformed-json", openai.InternalServerError, "upstream_malformed_reply"),
        ("stub/hang-before-head", openai.InternalServerError, "upstream_timeout"),
    ],
)
def test_errors_are_raised_as_the_sdks_own(
    client: OpenAI, model: str, error: type[openai.APIStatusError], code: str
) -> None:
    patience = {"x-tollway-timeout": "1s"} if "hang" in model else {}
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES, extra_headers=patience)
    assert raised.value.code == code
    assert raised.value.request_id


def test_a_key_may_not_use_a_model_that_it_was_not_given(gateway: Gateway) -> None:
    key = gateway.new_key(allowed_models=["stub/alpha"])
    with (
        OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client,
        pytest.raises(openai.PermissionDeniedError),
    ):
        client.chat.completions.create(model="stub/beta", messages=MESSAGES)


def test_an_unknown_key_is_an_authentication_error(gateway: Gateway) -> None:
    with (
        OpenAI(base_url=f"{gateway.url}/v1", api_key="tw-unknown", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model="stub/gpt", messages=MESSAGES)


def test_a_request_without_messages_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/chat/completions", cast_to=object, body={"model": "stub/gpt"})
    assert raised.value.param == "messages"


def test_the_wait_that_the_provider_asks_for_reaches_the_sdk(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="stub/rate-limited", messages=MESSAGES)
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("model", ["stub/error-in-stream", "stub/cut", "stub/reset-stream"])
def test_a_stream_that_breaks_raises_an_api_error(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_a_used_up_budget_is_not_asked_again_and_a_rate_limit_is(gateway: Gateway) -> None:
    attempts: list[int] = []
    counting = {"response": [lambda answer: attempts.append(answer.status_code)]}
    broke, hurried = Spender(gateway), Spender(gateway)
    broke.budget("0")
    hurried.limit("requests", 1, window="second")

    def chat(spender: Spender) -> None:
        client = httpx.Client(event_hooks=counting)
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=spender.key, max_retries=5, http_client=client) as sdk:
            for _ in range(2):
                sdk.chat.completions.create(model="stub/gpt", messages=MESSAGES)

    with pytest.raises(openai.APIStatusError) as refused:
        chat(broke)
    assert (refused.value.status_code, refused.value.code, attempts) == (402, "budget_exceeded", [402])

    attempts.clear()
    chat(hurried)
    assert attempts.count(200) == 2
    assert set(attempts) <= {200, 429}
