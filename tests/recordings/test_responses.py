"""Recorded exchanges of the Responses API go through the pure parts: passed on, metered, and read by the dialect."""

import gzip
import json
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import openai
import pytest
from msgspec import Raw
from openai.types.responses import Response

from support.recordings import PATH, available
from tollway.api.dialects.responses import ResponsesDialect
from tollway.api.inference.surfaces import SURFACES
from tollway.chat.losses import Losses
from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.responses_adapter import ResponsesAdapter
from tollway.providers.registry import REGISTRY
from tollway.routing.call import Call, Recalled
from tollway.routing.catalog import Deployment

pytestmark = pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")

SURFACE = SURFACES["/v1/responses"]
DIALECT = ResponsesDialect()
SPEC = REGISTRY["openai"]
AT = Deployment("at", "openai", "https://provider.example/v1", "k", "")
NOT_UNDERSTOOD: dict[str, str] = {}
"""Recording → why it is not read. May only shrink."""


@dataclass(frozen=True)
class Row:
    """One recorded exchange. `name` finds it again."""

    name: str
    request: dict[str, Any]
    status: int
    stream: bool
    body: bytes


@cache
def rows() -> list[Row]:
    found = []
    with gzip.open(PATH, "rt") as file:
        for line in file:
            row = json.loads(line)
            if row["method"] != "POST" or not row["endpoint"].endswith("/responses"):
                continue
            name = f"{row['provider']}:{row['path'].rpartition('/')[2]}:{row['idx']}"
            body = row["response_body"].encode()
            found.append(Row(name, row["request_json"], row["status"], bool(row["streaming"]), body))
    return found


def call_of(row: Row, told: dict[str, Raw] | None = None) -> Call:
    call = DIALECT.parse(json.dumps(row.request).encode(), surface=SURFACE, headers={})
    return msgspec.structs.replace(call, recalled=None if told is None else Recalled(told))


def stated_usage(row: Row) -> dict[str, Any] | None:
    """The usage as the provider wrote it last."""
    if not row.stream:
        found: dict[str, Any] | None = json.loads(row.body)["usage"]
        return found
    events = [json.loads(line[5:]) for line in row.body.splitlines() if line.startswith(b"data: {")]
    last: dict[str, Any] = [event for event in events if "response" in event][-1]["response"]["usage"]
    return last


def same(usage: Usage | None, stated: dict[str, Any] | None) -> bool:
    if stated is None:  # it was queued
        return usage is None
    return usage is not None and (
        (usage.input_total, usage.output_total, usage.cache_read, usage.reasoning)
        == (
            stated["input_tokens"],
            stated["output_tokens"],
            stated["input_tokens_details"]["cached_tokens"],
            stated["output_tokens_details"]["reasoning_tokens"],
        )
    )


def test_there_are_many() -> None:
    assert len([row for row in rows() if row.status == 200]) >= 340
    assert len([row for row in rows() if row.stream]) >= 110
    assert len(NOT_UNDERSTOOD) == 0


def test_whole_replies_pass_as_they_are_with_their_usage() -> None:
    for row in rows():
        if row.stream or row.status != 200:
            continue
        answer = ResponsesAdapter(call_of(row)).parse_reply(row.body, spec=SPEC)
        assert answer is not None, row.name
        assert answer.body is None, row.name
        assert same(answer.usage, stated_usage(row)), row.name


def test_whole_replies_tell_what_the_caller_asked_for_of_state() -> None:
    told = {"store": Raw(b"true"), "previous_response_id": Raw(b'"resp_before"')}
    for row in rows():
        if row.stream or row.status != 200:
            continue
        answer = ResponsesAdapter(call_of(row, told)).parse_reply(row.body, spec=SPEC)
        assert answer is not None
        assert answer.body is not None
        expected = json.loads(row.body) | {"store": True, "previous_response_id": "resp_before"}
        assert json.loads(answer.body) == expected, row.name


@pytest.mark.parametrize("seed", range(3))
def test_streams_pass_as_they_are_wherever_they_are_cut_and_their_end_is_held_back(seed: int) -> None:
    rng = random.Random(seed)
    for row in rows():
        if not row.stream:
            continue
        reader = ResponsesAdapter(call_of(row)).stream_reader(call_of(row), spec=SPEC)
        passed, rest = b"", row.body
        while rest:
            size = rng.randint(1, 900)
            passed, rest = passed + reader.feed(rest[:size]), rest[size:]
        reader.finish()
        assert reader.done, row.name
        assert not reader.torn
        assert not reader.failed
        assert b'"type":"response.completed"' not in passed, row.name
        assert passed + reader.take_end() == row.body, row.name
        assert same(reader.answer().usage, stated_usage(row)), row.name
        assert reader.answer().model


def test_streams_tell_what_the_caller_asked_for_of_state() -> None:
    for row in rows():
        if not row.stream:
            continue
        told = {"store": Raw(b"true"), "conversation": Raw(b'{"id":"conv_1"}')}
        reader = ResponsesAdapter(call_of(row, told)).stream_reader(call_of(row), spec=SPEC)
        out = reader.feed(row.body) + reader.take_end()
        before = [json.loads(line[5:]) for line in row.body.splitlines() if line.startswith(b"data: {")]
        after = [json.loads(line[5:]) for line in out.splitlines() if line.startswith(b"data: {")]
        for event in before:
            if "response" in event:
                event["response"] |= {"store": True, "conversation": {"id": "conv_1"}}
        assert after == before, row.name


def test_the_provider_is_asked_for_the_same_but_keeps_nothing() -> None:
    for row in rows():
        call = call_of(row, {"store": Raw(b"true")})
        sent = ResponsesAdapter(call).build_request(
            call, surface=SURFACE, deployment=AT, spec=SPEC, model=row.request["model"]
        )
        body = json.loads(sent.body)
        assert body["store"] is False
        ours = {"store", "include", "previous_response_id", "conversation", "background"}
        assert {name: value for name, value in body.items() if name not in ours} == {
            name: value for name, value in row.request.items() if name not in ours
        }, row.name
        assert set(row.request.get("include") or ()) <= set(body.get("include") or ())


def test_every_recorded_request_is_read_by_the_dialect() -> None:
    for row in rows():
        chat = DIALECT.to_chat(call_of(row), Losses(drop=True, target="nobody"))
        assert chat.messages or "previous_response_id" in row.request or not row.request.get("input"), row.name


def test_what_is_kept_of_recorded_replies_is_what_the_sdk_reads() -> None:
    for row in rows():
        if row.stream or row.status != 200:
            continue
        answer = ResponsesAdapter(call_of(row, {"store": Raw(b"true")})).parse_reply(row.body, spec=SPEC)
        assert answer is not None
        assert answer.body is not None
        read = openai._models.construct_type(type_=Response, value=json.loads(answer.body))
        assert isinstance(read, Response)
        assert (read.usage is None) == (stated_usage(row) is None)
