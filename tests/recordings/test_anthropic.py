"""Recorded exchanges with Anthropic go through Tollway: passed on to callers of its dialect, translated for others."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.anthropic_recordings import messages, name_of, needs_recordings, told_usage
from support.gateway import Gateway
from support.recordings import events
from support.replies import recut
from support.standin import Received, Reply, StandIn
from support.waiting import wait_until
from tollway.ids import uuid7
from tollway.providers.usage.anthropic import read_usage, usage_of

pytestmark = needs_recordings

COST = b": x-tollway-cost "


class Replay:
    """Sends one recorded request at a time; the stand-in answers with what was recorded for it."""

    gateway: Gateway
    standin: StandIn

    def __init__(self) -> None:
        self._now: dict[str, Any] = {}

    def script(self, received: Received) -> Reply:
        """The recorded reply, cut anywhere."""
        body = self._now["response_body"].encode()
        if self._now["streaming"]:
            return Reply(
                recut(body, received.serial), headers=(("content-type", "text/event-stream"),), framing="chunked"
            )
        return Reply([body], status=self._now["status"])

    def send(self, row: dict[str, Any], path: str, body: dict[str, Any]) -> tuple[str, int, bytes]:
        """Ask; the request's id, and what the caller got."""
        self._now = row
        request_id = uuid7()
        answer = self.gateway.post(path, body, headers={"x-request-id": request_id})
        return request_id, answer.status_code, answer.content


@pytest.fixture(scope="module")
def replay(quota_gateway: Gateway) -> Iterator[Replay]:
    """A Tollway whose only provider is Anthropic, which is the stand-in."""
    scripted = Replay()
    gateway = quota_gateway.tenant()
    with StandIn(scripted.script) as standin:
        gateway.admin("PATCH", "/projects/default", {"allow_unpriced": True})
        gateway.add_provider("claude", standin.base_url, spec="anthropic", options={"object_ids": "any"})
        scripted.gateway, scripted.standin = gateway, standin
        yield scripted


def without_cost(body: bytes) -> bytes:
    return b"".join(event for event in events(body) if not event.startswith(COST))


def entry_of(gateway: Gateway, request_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = wait_until(
        lambda: gateway.query("SELECT * FROM ledger_entry WHERE request_id = %s", request_id), what="the entry"
    )
    assert len(found) == 1
    return found[0]


def test_every_exchange_passes_and_is_metered(replay: Replay) -> None:
    sent = {}
    for row in messages():
        asked = row["request_json"]
        request_id, status, body = replay.send(row, "/v1/messages", asked | {"model": f"claude/{asked['model']}"})
        sent[request_id] = row
        heard = replay.standin.received[-1]
        assert heard.json == asked, name_of(row)
        assert status == row["status"], name_of(row)
        recorded = row["response_body"].encode()
        assert (without_cost(body) if row["streaming"] else body) == recorded, name_of(row)
    entries = {row["request_id"]: row for row in _entries(replay.gateway, list(sent))}
    for request_id, row in sent.items():
        entry = entries[request_id]
        if row["status"] != 200:
            assert (entry["outcome"], entry["charge_pico"]) == ("upstream_error", 0), name_of(row)
            continue
        usage = usage_of(read_usage(json.dumps(told_usage(row)).encode()))
        assert usage is not None
        counts = tuple(entry[f"usage_{kind}"] for kind in ("input", "cache_read", "output", "reasoning"))
        assert counts == (usage.input, usage.cache_read, usage.output, usage.reasoning), name_of(row)
        assert entry["usage_source"] == "provider", name_of(row)
        assert entry["priced"], name_of(row)
        assert entry["charge_pico"] > 0, name_of(row)


def _entries(gateway: Gateway, request_ids: list[str]) -> list[dict[str, Any]]:
    def landed() -> list[dict[str, Any]] | None:
        found = gateway.query("SELECT * FROM ledger_entry WHERE request_id = ANY(%s)", request_ids)
        return found if len(found) == len(request_ids) else None

    return wait_until(landed, what="all entries")


def test_answers_reach_callers_of_chat_completions(replay: Replay) -> None:
    for row in messages(status=200)[::3]:
        asked: dict[str, Any] = {"model": "claude/claude-sonnet-4-5", "messages": [{"role": "user", "content": "a"}]}
        asked |= {"stream": True, "stream_options": {"include_usage": True}} if row["streaming"] else {}
        _, status, body = replay.send(row, "/v1/chat/completions", asked)
        assert status == 200, name_of(row)
        text, usage = _told(body, streamed=row["streaming"])
        assert text == _said(row), name_of(row)
        counted = usage_of(read_usage(json.dumps(told_usage(row)).encode()))
        assert counted is not None
        assert usage["prompt_tokens"] == counted.input_total, name_of(row)
        assert usage["completion_tokens"] == counted.output_total, name_of(row)


def _told(body: bytes, *, streamed: bool) -> tuple[str, dict[str, Any]]:
    """Text and usage of a chat completion."""
    if not streamed:
        reply = json.loads(body)
        return reply["choices"][0]["message"]["content"] or "", reply["usage"]
    chunks = [json.loads(event.partition(b"data: ")[2]) for event in events(body) if event.startswith(b"data: {")]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    return text, next(chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage"))


def _said(row: dict[str, Any]) -> str:
    """The text of a recorded message."""
    if not row["streaming"]:
        blocks = json.loads(row["response_body"])["content"]
        return "".join(block["text"] for block in blocks if block["type"] == "text")
    found = [json.loads(event.partition(b"data: ")[2]) for event in events(row["response_body"].encode())]
    return "".join(each["delta"]["text"] for each in found if each.get("delta", {}).get("type") == "text_delta")
