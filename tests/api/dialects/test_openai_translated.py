"""A call of the OpenAI dialect that is translated to the OpenAI format gives what passing its bytes through gives."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from support.callers import CALLERS
from support.chats import AT
from support.replies import recut
from support.speakers import openai
from support.speakers.said import SAID
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.providers.adapter import Adapter
from tollway.providers.adapters import adapter_for
from tollway.providers.registry import OPENAI_COMPATIBLE, ProviderSpec
from tollway.routing.call import Call

CALLER = CALLERS["chat"]
SURFACE = SURFACES["/v1/chat/completions"]
TRANSLATED = replace(OPENAI_COMPATIBLE, surfaces=frozenset())
each_scenario = pytest.mark.parametrize("scenario", ["text", "tools", "json", "thinking", "length"])


def call_of(scenario: str, *, stream: bool) -> Call:
    body = json.dumps(CALLER.ask("m", stream, scenario)).encode()
    return DIALECTS["chat"].parse(body, surface=SURFACE, headers={})


def adapter(call: Call, spec: ProviderSpec) -> Adapter:
    return adapter_for(SURFACE, DIALECTS["chat"], spec, call, model="m", provider="p", drop=False)


def sent(call: Call, spec: ProviderSpec) -> tuple[str, dict[str, str], dict[str, Any]]:
    request = adapter(call, spec).build_request(call, surface=SURFACE, deployment=AT, spec=spec, model="m")
    return request.url, request.headers, json.loads(request.body)


@each_scenario
@pytest.mark.parametrize("stream", [False, True])
def test_the_provider_is_asked_the_same(scenario: str, *, stream: bool) -> None:
    call = call_of(scenario, stream=stream)
    assert sent(call, TRANSLATED) == sent(call, OPENAI_COMPATIBLE)


@each_scenario
def test_a_reply_says_and_counts_the_same(scenario: str) -> None:
    call, body = call_of(scenario, stream=False), openai.plain(scenario)
    passed = adapter(call, OPENAI_COMPATIBLE).parse_reply(body, spec=OPENAI_COMPATIBLE)
    translated = adapter(call, TRANSLATED).parse_reply(body, spec=TRANSLATED)
    assert passed is not None
    assert translated is not None
    assert translated.body is not None
    assert CALLER.read(json.loads(translated.body)) == CALLER.read(json.loads(body))
    assert replace(translated, body=None) == passed


@each_scenario
def test_a_stream_says_and_counts_the_same(scenario: str) -> None:
    call, body = call_of(scenario, stream=True), openai.stream(scenario)
    passed = adapter(call, OPENAI_COMPATIBLE).stream_reader(call, spec=OPENAI_COMPATIBLE)
    translated = adapter(call, TRANSLATED).stream_reader(call, spec=TRANSLATED)
    told = b""
    for chunk in recut(body, len(scenario)):
        passed.feed(chunk)
        told += translated.feed(chunk)
    passed.finish()
    translated.finish()
    told += translated.take_end()
    assert CALLER.read_stream(told) == CALLER.read_stream(body)
    assert translated.answer() == passed.answer()
    assert translated.done
    assert translated.counted
    assert "".join(translated.delivered_texts()).startswith(SAID[scenario].thinking)


@pytest.mark.parametrize("field", ["models", "Max_Tokens", "n_cmpl", "web_search_options"])
def test_a_field_that_passes_unread_and_could_raise_the_bound_is_named(field: str) -> None:
    body = json.dumps(CALLER.ask("m", stream=False, feature="text") | {field: 5}).encode()
    call = DIALECTS["chat"].parse(body, surface=SURFACE, headers={})
    translated = adapter(call, TRANSLATED)
    assert translated.bound(call, spec=TRANSLATED, model="m", context_tokens=9).boundless == field
    assert translated.other_models(call) == ("models" if field == "models" else None)
