"""Dialogues through the gateway: a provider that has responses itself, a project's choices, long dialogues."""

import json
from typing import Any

import pytest

from support.gateway import Gateway, new_mark
from support.replies import SSE, plain, recut, tokens_of
from support.spender import Spender
from support.standin import Hold, Received, Reply, StandIn
from support.waiting import wait_until

PATH = "/v1/responses"
ENCRYPTED = "gAAAAAB-opaque"


def responder(received: Received) -> Reply:
    """A provider that has the Responses API: it keeps nothing, and tells so."""
    tokens = tokens_of(received)
    serial = received.serial
    usage = {
        "input_tokens": tokens[0],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens[1],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sum(tokens),
    }
    thoughts = {"id": f"rs_{serial}", "type": "reasoning", "summary": [], "encrypted_content": ENCRYPTED}
    text = {"type": "output_text", "text": f"answer {serial}", "annotations": []}
    said = {"id": f"msg_{serial}", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    response = {
        "id": f"resp_upstream_{serial}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "in_progress",
        "model": "gpt-5-mini-2025-08-07",
        "output": [],
        "previous_response_id": None,
        "store": received.json["store"],
        "a_field_of_tomorrow": [1, 2.50],
        "usage": None,
    }
    whole = response | {"status": "completed", "output": [thoughts, said], "usage": usage}
    if not received.json.get("stream"):
        return Reply([json.dumps(whole).encode()], tokens=tokens)
    delta = {"item_id": said["id"], "output_index": 1, "content_index": 0, "delta": text["text"]}
    events = [
        ("response.created", {"response": response}),
        ("response.output_text.delta", delta),
        ("response.completed", {"response": whole}),
    ]
    body = b"".join(
        f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number} | members)}\n\n".encode()
        for number, (kind, members) in enumerate(events)
    )
    return Reply(recut(body, serial), headers=SSE, framing="chunked", tokens=tokens)


@pytest.fixture(scope="module")
def responding(gateway: Gateway, standin: StandIn) -> str:
    """A model of a provider that has the Responses API."""
    standin.on("gpt-5-mini", responder)
    gateway.add_provider("responding", standin.base_url, spec="openai")
    gateway.set_price("responding", "*")
    return "responding/gpt-5-mini"


def ask(gateway: Gateway, body: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
    """A response, as it came or as the last event of a stream."""
    answer = gateway.post(PATH, body, key=key)
    assert answer.is_success, answer.text
    if not body.get("stream"):
        whole: dict[str, Any] = answer.json()
        return whole
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert [event["type"] for event in events] == [
        "response.created",
        "response.output_text.delta",
        "response.completed",
    ]
    assert events[0]["response"]["store"] is events[2]["response"]["store"]
    last: dict[str, Any] = events[2]["response"]
    return last


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_of_the_dialect_is_sent_what_went_before_and_keeps_nothing(
    gateway: Gateway, standin: StandIn, responding: str, *, stream: bool
) -> None:
    asked = {"model": responding, "stream": stream, "a_field_of_mine": {"kept": 2.50}}
    first = ask(gateway, asked | {"input": "One."})
    mark = new_mark()
    second = ask(gateway, asked | {"input": "Two.", "previous_response_id": first["id"], "user": mark})
    heard = standin.marked(mark)[0]
    assert heard.path == PATH
    sent = heard.json
    assert sent["store"] is False
    assert "previous_response_id" not in sent
    assert sent["include"] == ["reasoning.encrypted_content"]
    assert sent["a_field_of_mine"] == {"kept": 2.50}
    said: Any = sent["input"]
    assert [item.get("role") or item["type"] for item in said] == ["user", "reasoning", "assistant", "user"]
    assert said[1]["encrypted_content"] == ENCRYPTED
    assert (second["store"], second["previous_response_id"]) == (True, first["id"])
    assert second["id"].startswith("resp_upstream_")
    assert second["a_field_of_tomorrow"] == [1, 2.50]
    entry = gateway.entry(mark)
    assert (entry["usage_input"], entry["usage_output"]) == heard.tokens
    assert entry["usage_source"] == "provider"


def test_a_stream_in_the_background_of_a_provider_of_the_dialect_is_numbered_anew(
    gateway: Gateway, responding: str
) -> None:
    body = {"model": responding, "input": "One.", "background": True, "stream": True}
    answer = gateway.post(PATH, body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert [(event["sequence_number"], event["type"]) for event in events] == [
        (0, "response.created"),
        (1, "response.queued"),
        (2, "response.output_text.delta"),
        (3, "response.completed"),
    ]
    last = events[-1]["response"]
    assert (last["id"], last["background"], last["a_field_of_tomorrow"]) == (
        events[0]["response"]["id"],
        True,
        [1, 2.5],
    )
    place = f"{PATH}/{last['id']}"
    again = gateway.client.get(f"{place}?stream=true&starting_after=1", headers=gateway.headers())
    assert again.text == answer.text[answer.text.index("event: response.output_text.delta") :]
    assert gateway.client.delete(place, headers=gateway.headers()).is_success
    assert gateway.client.get(f"{place}?stream=true", headers=gateway.headers()).status_code == 404


def test_what_is_not_stored_passes_byte_for_byte(gateway: Gateway, responding: str) -> None:
    answer = gateway.post(PATH, {"model": responding, "input": "One.", "store": False})
    assert answer.json()["store"] is False
    assert '"a_field_of_tomorrow": [1, 2.5]' in answer.text


def test_a_dialogue_changes_its_provider(gateway: Gateway, standin: StandIn, responding: str) -> None:
    first = ask(gateway, {"model": responding, "input": "One."})
    mark = new_mark()
    second = ask(gateway, {"model": "stub/plain", "input": "Two.", "previous_response_id": first["id"], "user": mark})
    messages: Any = standin.marked(mark)[0].json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    mark = new_mark()
    ask(gateway, {"model": responding, "input": "Three.", "previous_response_id": second["id"], "user": mark})
    said: Any = standin.marked(mark)[0].json["input"]
    assert len(said) == 6


def test_a_project_that_keeps_nothing_says_so(gateway: Gateway) -> None:
    for choice in ("none", "metadata"):
        name = new_mark()
        settings = {"store_content": choice} if choice == "none" else {}  # metadata is what a new project keeps
        gateway.admin("POST", "/projects", {"name": name} | settings)
        key = gateway.new_key(name)
        made = ask(gateway, {"model": "stub/plain", "input": "One."}, key=key)
        assert made["store"] is False
        found = gateway.client.get(f"{PATH}/{made['id']}", headers=gateway.headers(key))
        assert found.status_code == (404 if choice == "none" else 200)
        if choice == "metadata":
            assert (found.json()["output"], found.json()["usage"]) == ([], made["usage"])
        again = gateway.post(
            PATH, {"model": "stub/plain", "input": "Two.", "previous_response_id": made["id"]}, key=key
        )
        assert again.status_code == (404 if choice == "none" else 400)
        assert "`store_content`" in again.json()["error"]["message"]
        for fields in ({"store": True}, {"background": True}, {"conversation": "conv_a"}):
            refused = gateway.post(PATH, {"model": "stub/plain", "input": "One."} | fields, key=key)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "content_not_kept")
            assert refused.json()["error"]["param"] == next(iter(fields))
        assert gateway.post("/v1/conversations", {}, key=key).status_code == 400


def test_a_response_that_is_refused_after_it_was_queued_has_failed(gateway: Gateway, standin: StandIn) -> None:
    standin.on("held-plain", lambda received: Reply([Hold(), *plain(received).steps]))
    standin.hold()
    hurried = Spender(gateway)
    hurried.limit("parallel", 1, queue_s=0.4)
    mark = new_mark()
    body = {"model": "stub/held-plain", "input": "One.", "background": True}
    first = ask(gateway, body | {"user": mark}, key=hurried.key)
    wait_until(lambda: standin.marked(mark), what="the only place to be taken")
    second = ask(gateway, body, key=hurried.key)

    def state(response: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = gateway.client.get(
            f"{PATH}/{response['id']}",
            headers=gateway.headers(hurried.key),  # though its only place is taken
        ).json()
        return found

    wait_until(lambda: state(second)["status"] == "failed", what="the second to be refused")
    assert state(second)["error"]["code"] == "rate_limited"
    standin.release()
    wait_until(lambda: state(first)["status"] == "completed", what="the first to end")


def test_the_oldest_items_are_left_out_where_all_are_too_many(gateway: Gateway, standin: StandIn) -> None:
    narrow = {"provider": "stub", "model": "plain", "context_tokens": 1_000}
    gateway.admin("PUT", "/aliases/default/narrow", {"route": {"targets": [narrow]}})
    long = "one two three four five six seven eight nine ten " * 100
    items: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": long},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": long},
        {"role": "user", "content": "The last."},
    ]
    asked = {"model": "narrow", "input": items, "max_output_tokens": 100}
    wait_until(lambda: gateway.post(PATH, {"model": "narrow", "input": "a"}).is_success, what="the alias to be known")
    mark = new_mark()
    ask(gateway, asked | {"truncation": "auto", "user": mark})
    messages: Any = standin.marked(mark)[0].json["messages"]
    assert [message["content"] for message in messages] == ["Be brief.", "The last."]
    mark = new_mark()
    ask(gateway, asked | {"user": mark})
    whole: Any = standin.marked(mark)[0].json["messages"]
    assert len(whole) == 5


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{PATH}/resp_%00"),
        ("GET", f"{PATH}/{'x' * 300}"),
        ("GET", f"{PATH}/resp_a/input_items"),
        ("GET", f"{PATH}/resp_a?stream=true"),
        ("DELETE", f"{PATH}/%ff%fe"),
        ("GET", "/v1/conversations/conv_%0a/items"),
        ("GET", "/v1/conversationsXYZ"),
        ("POST", f"{PATH}/resp_a/nothing"),
    ],
)
def test_what_is_not_there_is_a_404(gateway: Gateway, method: str, path: str) -> None:
    answer = gateway.client.request(method, path, headers=gateway.headers())
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", f"{PATH}/resp_a", b"{}", 405),
        ("POST", f"{PATH}/compact", b"{}", 400),
        ("POST", f"{PATH}/compact", b'{"model":"stub/plain","input":"a","background":true}', 400),
        ("GET", f"{PATH}/compact", b"", 405),
        ("GET", "/v1/conversations", b"", 405),
        ("GET", f"{PATH}/resp_a?stream=true&starting_after=-1", b"", 400),
        ("GET", f"{PATH}/resp_a?surprise=1", b"", 400),
        ("GET", f"{PATH}/resp_a/input_items?limit=1000", b"", 400),
        ("GET", f"{PATH}/resp_a/input_items?order=up", b"", 400),
        ("POST", "/v1/conversations", b"[]", 400),
        ("POST", "/v1/conversations", b'{"metadata": 5}', 400),
        ("POST", "/v1/conversations", b'{"items": ["a"]}', 400),
        ("POST", "/v1/conversations", b'{"items": "a"}', 400),
        ("POST", f"{PATH}/input_tokens", b"{}", 400),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    gateway: Gateway, method: str, path: str, body: bytes, status: int
) -> None:
    answer = gateway.client.request(method, path, headers=gateway.headers(), content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("path", [f"{PATH}/resp_a", f"{PATH}/resp_a/input_items", "/v1/conversations/conv_a"])
def test_what_is_kept_is_for_keys_of_the_data_plane_only(gateway: Gateway, path: str) -> None:
    assert gateway.client.get(path).status_code == 401
    reader = gateway.new_key(None, scopes=["read"])
    assert gateway.client.get(path, headers=gateway.headers(reader)).status_code == 403


def test_an_answer_from_the_cache_is_no_turn_of_another_dialogue(gateway: Gateway, standin: StandIn) -> None:
    name = new_mark()
    gateway.admin("POST", "/projects", {"name": name, "cache_ttl_s": 600, "store_content": "full"})
    key, mark = gateway.new_key(name), new_mark()
    headers = gateway.headers(key)
    made = [gateway.post("/v1/conversations", {}, key=key) for _ in "ab"]
    assert all(each.is_success for each in made), made[0].text
    for conversation in (each.json()["id"] for each in made):
        asked = {"model": "stub/plain", "input": "One.", "conversation": conversation, "user": mark}
        assert ask(gateway, asked, key=key)["conversation"] == {"id": conversation}
        listed = gateway.client.get(f"/v1/conversations/{conversation}/items", headers=headers)
        assert len(listed.json()["data"]) == 2
    assert len(standin.marked(mark)) == 2
