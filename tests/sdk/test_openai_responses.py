"""The official `openai` SDK: responses and conversations, in front of a provider that has neither."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseCompletedEvent, ResponseCreatedEvent, ResponseFailedEvent

from support.gateway import Gateway, new_mark
from support.replies import WORDS, plain
from support.standin import Hold, Received, Reply, StandIn
from support.waiting import wait_until

TEXT = "".join(WORDS)
MODEL = "stub/plain"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    """The SDK, pointed at Tollway as its documentation says."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.project_key, max_retries=0) as opened:
        yield opened


def heard(standin: StandIn, mark: str) -> list[Any]:
    """The messages of the last request with this mark that the provider got."""
    messages: Any = standin.marked(mark)[-1].json["messages"]
    return [(message["role"], message["content"]) for message in messages]


def test_a_response_is_made_of_a_chat_completion(client: OpenAI, gateway: Gateway) -> None:
    mark = new_mark()
    response = client.responses.create(model=MODEL, instructions="Be brief.", input="Say something.", user=mark)
    assert (response.output_text, response.status, response.store) == (TEXT, "completed", True)
    assert response.instructions == "Be brief."
    entry = gateway.entry(mark)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (entry["usage_input"], entry["usage_output"])


def test_a_stream_has_all_its_events(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="Say something.") as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert response.output_text == TEXT
    assert [kind for kind in dict.fromkeys(kinds) if kind != "response.output_text.delta"] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert client.responses.retrieve(response.id).output_text == TEXT


@pytest.mark.parametrize("streaming", [False, True])
def test_tools_are_called_and_their_results_go_on(client: OpenAI, *, streaming: bool) -> None:
    def ask(**more: Any) -> Response:
        if not streaming:
            return client.responses.create(model="stub/tools", tools=[WEATHER], **more)
        with client.responses.stream(model="stub/tools", tools=[WEATHER], **more) as stream:
            return stream.get_final_response()

    first = ask(input="How is the weather in Paris?")
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("weather", '{"city": "Paris"}')
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = ask(previous_response_id=first.id, input=[result])
    assert second.output_text == "The tool says: sunny"
    assert second.previous_response_id == first.id


def test_a_dialogue_goes_on_though_the_provider_keeps_nothing(client: OpenAI, standin: StandIn) -> None:
    first = client.responses.create(model=MODEL, instructions="Be brief.", input="One.")
    second = client.responses.create(model=MODEL, input="Two.", previous_response_id=first.id)
    mark = new_mark()
    third = client.responses.create(model=MODEL, input="Three.", previous_response_id=second.id, user=mark)
    assert third.previous_response_id == second.id
    assert heard(standin, mark) == [
        *[("user", "One."), ("assistant", TEXT)],
        *[("user", "Two."), ("assistant", TEXT)],
        ("user", "Three."),
    ]
    again = new_mark()
    client.responses.create(model=MODEL, input="Other.", previous_response_id=first.id, user=again)
    assert heard(standin, again)[-1] == ("user", "Other.")
    assert len(heard(standin, again)) == 3


def test_an_item_may_be_sent_by_its_id(client: OpenAI, standin: StandIn) -> None:
    first = client.responses.create(model=MODEL, input="One.")
    mark = new_mark()
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    client.responses.create(model=MODEL, input=[reference, {"role": "user", "content": "Two."}], user=mark)
    assert heard(standin, mark) == [("assistant", TEXT), ("user", "Two.")]
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model=MODEL, input=[{"type": "item_reference", "id": "msg_nobody"}])
    assert refused.value.param == "input.0"


def test_what_is_kept_is_found_listed_and_deleted(client: OpenAI) -> None:
    items: Any = [
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two."},
    ]
    response = client.responses.create(model=MODEL, input=items)
    assert client.responses.retrieve(response.id).output == response.output
    listed = list(client.responses.input_items.list(response.id, order="asc", limit=2))
    assert [item.content[0].text for item in listed] == ["One.", "1", "Two."]  # type: ignore[union-attr]
    newest = client.responses.input_items.list(response.id, limit=1)
    assert newest.data[0].id == listed[2].id
    assert newest.has_more
    client.responses.delete(response.id)
    for gone in (
        lambda: client.responses.retrieve(response.id),
        lambda: client.responses.delete(response.id),
        lambda: client.responses.input_items.list(response.id),
        lambda: client.responses.create(model=MODEL, input="More.", previous_response_id=response.id),
    ):
        with pytest.raises(openai.NotFoundError):
            gone()


def test_what_is_not_to_be_stored_is_not(client: OpenAI) -> None:
    response = client.responses.create(model=MODEL, input="One.", store=False)
    assert response.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_a_conversation_remembers(client: OpenAI, standin: StandIn) -> None:
    made = client.conversations.create(metadata={"topic": "a"}, items=[{"role": "developer", "content": "Be brief."}])
    first = client.responses.create(model=MODEL, input="One.", conversation=made.id)
    assert first.conversation is not None
    assert first.conversation.id == made.id
    mark = new_mark()
    with client.responses.stream(model=MODEL, input="Two.", conversation=made.id, user=mark) as stream:
        stream.until_done()
    assert [content for _, content in heard(standin, mark)] == ["Be brief.", "One.", TEXT, "Two."]
    items = list(client.conversations.items.list(made.id, order="asc", limit=3))
    assert [item.role for item in items] == ["developer", "user", "assistant", "user", "assistant"]  # type: ignore[union-attr]
    assert client.conversations.items.retrieve(items[2].id or "", conversation_id=made.id).id == items[2].id
    client.conversations.items.delete(items[1].id or "", conversation_id=made.id)
    client.conversations.items.create(made.id, items=[{"role": "user", "content": "Three."}])
    left = [item.content[0].text for item in client.conversations.items.list(made.id)]  # type: ignore[union-attr,index]
    assert left == ["Three.", TEXT, "Two.", TEXT, "Be brief."]
    assert client.conversations.update(made.id, metadata={"topic": "b"}).metadata == {"topic": "b"}
    assert client.conversations.retrieve(made.id).metadata == {"topic": "b"}
    assert client.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=MODEL, input="Four.", conversation=made.id)


def test_a_response_in_the_background_is_polled(client: OpenAI, gateway: Gateway) -> None:
    mark = new_mark()
    queued = client.responses.create(model=MODEL, input="One.", background=True, user=mark)
    assert queued.status == "queued"
    assert not queued.output

    def ended() -> Response | None:
        found = client.responses.retrieve(queued.id)
        return found if found.status not in {"queued", "in_progress"} else None

    found = wait_until(ended, what="the response to end")
    assert (found.status, found.output_text, found.background) == ("completed", TEXT, True)
    assert gateway.entry(mark)["status"] == 200
    follow = client.responses.create(model=MODEL, input="Two.", previous_response_id=queued.id)
    assert follow.output_text == TEXT


def test_a_response_in_the_background_is_cancelled(client: OpenAI, gateway: Gateway, standin: StandIn) -> None:
    def slow(received: Received) -> Reply:
        reply = plain(received)
        return Reply([Hold(), *reply.steps], tokens=reply.tokens)

    standin.hold()
    standin.on("slow-in-the-background", slow)
    mark = new_mark()
    queued = client.responses.create(
        model="stub/slow-in-the-background", input="One.", background=True, user=mark, service_tier="default"
    )
    wait_until(lambda: standin.marked(mark), what="the provider to be asked")
    wait_until(lambda: client.responses.retrieve(queued.id).status == "in_progress", what="that to be told")
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input="Two.", previous_response_id=queued.id)
    assert client.responses.cancel(queued.id).status == "cancelled"
    assert client.responses.cancel(queued.id).status == "cancelled"
    assert gateway.entry(mark)["outcome"] == "client_left"
    standin.release()
    assert client.responses.retrieve(queued.id).status == "cancelled"


def test_what_is_wrong_in_the_background_is_told(client: OpenAI) -> None:
    def failure(model: str) -> str:
        try:
            queued = client.responses.create(model=model, input="One.", background=True)
        except openai.NotFoundError as refused:
            return str(refused.code)
        found = wait_until(
            lambda: (found := client.responses.retrieve(queued.id)).status == "failed" and found,
            what="the response to fail",
        )
        assert found.error is not None
        assert found.error.message
        return found.error.code

    assert failure("nowhere/plain") == "model_not_found"  # at once, or later where that takes a while to be known
    assert failure("stub/rate-limited")
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input="One.", background=True, store=False)
    foreground = client.responses.create(model=MODEL, input="One.")
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(foreground.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(foreground.id, stream=True)


def test_a_stream_in_the_background_is_told_again(client: OpenAI) -> None:
    events = list(client.responses.create(model=MODEL, input="One.", background=True, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert isinstance(events[0], ResponseCreatedEvent)
    assert isinstance(events[-1], ResponseCompletedEvent)
    first, last = events[0].response, events[-1].response
    assert (first.status, first.id, first.background) == ("queued", last.id, True)
    assert (last.status, last.output_text, last.background) == ("completed", TEXT, True)
    assert list(client.responses.retrieve(last.id, stream=True)) == events
    assert list(client.responses.retrieve(last.id, stream=True, starting_after=4)) == events[5:]
    assert client.responses.retrieve(last.id).output_text == TEXT
    follow = client.responses.create(model=MODEL, input="Two.", previous_response_id=last.id)
    assert follow.output_text == TEXT


def test_a_stream_in_the_background_runs_on_when_its_caller_leaves(
    client: OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    standin.hold()
    mark = new_mark()
    model = "stub/held"
    stream = client.responses.create(model=model, input="One.", background=True, stream=True, user=mark)
    created = next(stream)
    assert isinstance(created, ResponseCreatedEvent)
    stream.close()
    again = client.responses.retrieve(created.response.id, stream=True, starting_after=0)
    assert next(again).sequence_number == 1
    standin.release()
    *_, last = again
    assert isinstance(last, ResponseCompletedEvent)
    assert last.response.output_text == TEXT
    assert gateway.entry(mark)["outcome"] == "ok"


def test_a_stream_in_the_background_that_fails_says_so_at_its_end(client: OpenAI) -> None:
    for model in ("stub/rate-limited", "stub/cut"):
        *_, last = client.responses.create(model=model, input="One.", background=True, stream=True)
        assert isinstance(last, ResponseFailedEvent), model
        assert last.response.status == "failed"
        assert last.response.error is not None
        assert list(client.responses.retrieve(last.response.id, stream=True))[-1] == last


def test_a_dialogue_is_made_short_by_any_model_and_goes_on_with_any_other(
    client: OpenAI, gateway: Gateway, standin: StandIn
) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Rome"}'}
    said: Any = [
        {"role": "user", "content": "How is it in Rome?"},
        call,
        {"type": "function_call_output", "call_id": "c1", "output": "Sunny."},
        {"role": "assistant", "content": "It is sunny."},
    ]
    mark = new_mark()
    short = client.responses.compact(model=MODEL, input=said, instructions="Be kind.", extra_body={"user": mark})
    ((_, task), (_, told)) = heard(standin, mark)
    assert "Write down" in str(task)
    for piece in ("Be kind.", "How is it in Rome?", "weather", '{"city":"Rome"}', "Sunny.", "It is sunny."):
        assert piece in str(told).replace("\\", ""), piece
    assert short.object == "response.compaction"
    assert [item.type for item in short.output] == ["message", "compaction"]
    entry = gateway.entry(mark)
    assert (entry["surface"], entry["usage_input"]) == ("compact", short.usage.input_tokens)
    mark = new_mark()
    more: Any = [
        *(item.model_dump(exclude_none=True, warnings=False) for item in short.output),
        {"role": "user", "content": "And?"},
    ]
    second = client.responses.create(model=MODEL, input=more, user=mark)
    roles, texts = zip(*heard(standin, mark), strict=True)
    assert roles == ("user", "system", "user")
    assert TEXT in str(texts[1])
    mark = new_mark()
    again = client.responses.compact(model=MODEL, previous_response_id=second.id, extra_body={"user": mark})
    assert [item.type for item in again.output] == ["message", "message", "compaction"]
    assert TEXT in str(heard(standin, mark))


def test_what_a_model_does_not_sum_up_to_its_end_stays_as_it_was(client: OpenAI, standin: StandIn) -> None:
    def cut(received: Received) -> Reply:
        whole = plain(received)
        steps = [step.replace(b'"stop"', b'"length"') if isinstance(step, bytes) else step for step in whole.steps]
        return Reply(steps, tokens=whole.tokens)

    standin.on("cut-short", cut)
    said: Any = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    short = client.responses.compact(model="stub/cut-short", input=said)
    assert [item.role for item in short.output] == ["user", "assistant"]  # type: ignore[union-attr]


def test_input_tokens_are_estimated_with_what_went_before(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="The quick brown fox jumps over the lazy dog.")
    alone = client.responses.input_tokens.count(model=MODEL, input="And?")
    after = client.responses.input_tokens.count(model=MODEL, input="And?", previous_response_id=first.id)
    assert 0 < alone.input_tokens < 20
    assert after.input_tokens >= alone.input_tokens + 20


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 5}, "input"),
        ({"previous_response_id": "resp_a", "conversation": "conv_b"}, "previous_response_id"),
        ({"conversation": 5}, "conversation"),
        ({"store": "yes"}, "store"),
        ({"truncation": "some"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(client: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**({"model": MODEL, "input": "One."} | fields))  # type: ignore[call-overload]
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


def test_an_error_of_the_provider_is_one_to_the_sdk(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="stub/rate-limited", input="One.")
    with (
        pytest.raises(openai.RateLimitError),
        client.responses.stream(model="stub/rate-limited", input="One.") as stream,
    ):
        stream.until_done()
