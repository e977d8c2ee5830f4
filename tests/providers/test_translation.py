"""What a translated stream delivered, for an estimate when the provider never counts."""

import json

import pytest

from support.callers import CALLERS
from support.speakers import SPEAKERS
from support.speakers.said import SAID
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.providers import translation
from tollway.providers.adapter import StreamReader
from tollway.providers.adapters import adapter_for
from tollway.providers.registry import REGISTRY

SURFACE = SURFACES["/v1/messages"]


def reader(format_name: str) -> StreamReader:
    spec = REGISTRY[SPEAKERS[format_name].spec]
    dialect = DIALECTS[SURFACE.dialect]
    body = json.dumps(CALLERS["messages"].ask("m", True, "text")).encode()
    call = dialect.parse(body, surface=SURFACE, headers={})
    adapter = adapter_for(SURFACE, dialect, spec, call, model="m", provider="p", drop=False)
    return adapter.stream_reader(call, spec=spec)


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
