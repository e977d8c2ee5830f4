"""What only Anthropic's own tools know of a call, and what a translated stream delivered, for an estimate."""

import json
from typing import Any, cast

import pytest

from support.callers import CALLERS
from support.speakers import SPEAKERS
from support.speakers.said import SAID
from support.told import events_of
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.chat.dialect import ChatDialect
from tollway.errors import UnsupportedFieldError
from tollway.providers import translation
from tollway.providers.adapter import Adapter, StreamReader
from tollway.providers.adapters import adapter_for
from tollway.providers.anthropic.reply import parse_message
from tollway.providers.registry import REGISTRY, ProviderSpec
from tollway.routing.call import Call
from tollway.routing.catalog import Deployment

SURFACE = SURFACES["/v1/messages"]


PROGRAM = {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}, "caller": PROGRAM}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
ASKED = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}],
}


def adapter_of(format_name: str, asked: dict[str, Any], *, drop: bool = False) -> tuple[Adapter, Call, ProviderSpec]:
    spec = REGISTRY[SPEAKERS[format_name].spec]
    dialect = DIALECTS[SURFACE.dialect]
    call = dialect.parse(json.dumps(asked).encode(), surface=SURFACE, headers={})
    return adapter_for(SURFACE, dialect, spec, call, model="m", provider="p", drop=drop), call, spec


def reader(format_name: str) -> StreamReader:
    adapter, call, spec = adapter_of(format_name, CALLERS["messages"].ask("m", True, "text"))
    return adapter.stream_reader(call, spec=spec)


@pytest.mark.parametrize("format_name", [name for name in SPEAKERS if name != "anthropic"])
def test_a_call_by_a_program_of_another_provider_is_told_as_lost(format_name: str) -> None:
    deployment = Deployment("p", REGISTRY[SPEAKERS[format_name].spec].name, "https://p.example/v1", "k", "p")

    def dropped(*, drop: bool) -> tuple[str, ...]:
        adapter, call, spec = adapter_of(format_name, ASKED, drop=drop)
        return adapter.build_request(call, surface=SURFACE, deployment=deployment, spec=spec, model="m").dropped

    with pytest.raises(UnsupportedFieldError) as refused:
        dropped(drop=False)
    assert refused.value.param == "messages.0.content.0.caller"
    assert dropped(drop=True) == ("messages.0.content.0.caller",)


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
@pytest.mark.parametrize("streamed", [False, True])
def test_the_program_that_called_a_tool_is_told_in_every_dialect(dialect: str, streamed: object) -> None:
    reply = parse_message(json.dumps({"type": "message", "content": [CALL]}).encode())
    assert reply is not None
    speaks = cast("ChatDialect", DIALECTS[dialect])
    caller = CALLERS[dialect]
    call = speaks.parse(
        json.dumps(caller.ask("m", bool(streamed), "text")).encode(), surface=SURFACES[caller.path], headers={}
    )
    if streamed:
        renderer = speaks.renderer(call)
        written = renderer.feed(list(events_of(reply))) + renderer.end()
    else:
        written = speaks.render_reply(reply, call)
    assert b'"caller":' + json.dumps(PROGRAM).encode() in written


@pytest.mark.parametrize("scenario", ["text", "tools", "thinking"])
@pytest.mark.parametrize("format_name", [name for name in SPEAKERS if name != "anthropic"])  # that one passes
def test_every_piece_that_was_delivered_is_kept_wherever_the_provider_puts_it(format_name: str, scenario: str) -> None:
    stream = reader(format_name)
    stream.feed(SPEAKERS[format_name].stream(scenario))
    kept = "".join(stream.delivered_texts())
    said = SAID[scenario]
    assert said.text in kept
    if SPEAKERS[format_name].tells_thinking:
        assert said.thinking in kept
    for _, name, _ in said.calls:
        assert name in kept


def test_text_beyond_what_is_kept_counts_by_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "DELIVERED_KEPT_MAX", 1_000)
    stream = reader("openai")
    for number in range(300):
        body = {"choices": [{"index": 0, "delta": {"content": f"word{number:04} "}, "finish_reason": None}]}
        stream.feed(b"data: " + json.dumps(body).encode() + b"\n\n")
    kept, rest = stream.delivered_texts()
    assert len(kept) == 1_000
    assert kept.startswith("word0000 word0001")
    assert rest == " " * (300 * 9 - 1_000)


def test_a_sound_is_no_text() -> None:
    stream = reader("openai")
    chunks = [{"audio": {"id": "a", "data": "UklGRg=="}}, {"audio": {"data": "AAAA", "transcript": "Hi."}}]
    for delta in chunks:
        body = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        stream.feed(b"data: " + json.dumps(body).encode() + b"\n\n")
    assert "".join(stream.delivered_texts()) == "Hi."
