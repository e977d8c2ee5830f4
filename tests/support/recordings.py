"""Recorded exchanges with real providers that speak the OpenAI dialect, and what Tollway must make of each.

The data lies beside the project and is never part of it; a test that needs it is skipped where it is absent.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tollway.chat.collect import collect
from tollway.chat.reply import ChatReply
from tollway.providers.registry import ProviderSpec
from tollway.providers.wire import Wire

PATH = Path(__file__).parents[3] / "shared" / "data" / "recordings" / "recordings.jsonl.gz"

SPECS = {
    "openai": "openai",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "together": "together",
    "cerebras": "cerebras",
    "ollama": "ollama",
    "azure": "azure",
    "bedrock-mantle": "openai_compatible",
    "crusoe": "openai_compatible",
    "heroku": "openai_compatible",
    "huggingface": "huggingface",
    "portkey": "openai_compatible",
    "pydantic-gateway": "openai_compatible",
    "snowflake": "openai_compatible",
    "vllm": "vllm",
    "zai": "zai",
}
"""Recorded provider → the registry's row it is registered with."""

SURFACES = {"/chat/completions": "chat", "/completions": "completions", "/embeddings": "embeddings"}

LEFT_OUT = {
    "voyage": "its embeddings count only `total_tokens`: a dialect of its own",
    "writer": "its completions have a stream and a reply of their own form",
    "fault-demo": "an echo server: not a model provider",
    "watsonx": "not the OpenAI dialect",
}
"""Providers with rows at such endpoints that are not replayed, and why."""


@dataclass(frozen=True)
class Recording:
    """One exchange. `name` finds the row again."""

    name: str
    provider: str
    surface: str
    request: dict[str, Any]
    status: int
    content_type: str
    body: bytes
    stream: bool

    @property
    def path(self) -> str:
        return next(f"/v1{path}" for path, surface in SURFACES.items() if surface == self.surface)

    @property
    def asks_usage(self) -> bool:
        options = self.request.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True


def available() -> bool:
    """Whether the recordings are on this machine."""
    return PATH.exists()


def _surface(row: dict[str, Any]) -> str | None:
    if (row["provider"] == "ollama" and row["endpoint"].startswith("/api/")) or "/prompts/" in row["endpoint"]:
        return None  # Ollama's own dialect; a hosted prompt of Portkey
    return next((surface for path, surface in SURFACES.items() if row["endpoint"].endswith(path)), None)


def _rows() -> Iterator[dict[str, Any]]:
    with gzip.open(PATH, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@cache
def recordings() -> tuple[Recording, ...]:
    """Every exchange of the OpenAI dialect that can be replayed."""
    found = []
    for row in _rows():
        surface = _surface(row)
        request = row["request_json"]
        if surface is None or row["provider"] not in SPECS or not isinstance(request.get("model"), str):
            continue
        found.append(
            Recording(
                name=f"{row['source']}:{row['path']}:{row['idx']}",
                provider=row["provider"],
                surface=surface,
                request=request,
                status=row["status"],
                content_type=row["response_headers"].get("content-type")
                or ("text/event-stream" if row["streaming"] else "application/json"),
                body=(row["response_body"] or "").encode(),
                stream=bool(request.get("stream")),
            )
        )
    return tuple(found)


def events(body: bytes) -> list[bytes]:
    """The events of a stream, each with its closing blank line; the recordings separate by two line feeds."""
    return [event + b"\n\n" for event in body.split(b"\n\n") if event]


def event_json(event: bytes) -> dict[str, Any]:
    """The object in an event's data, empty if there is none."""
    data = event.strip().removeprefix(b"data:").strip()
    return json.loads(data) if data.startswith(b"{") else {}


def is_usage_chunk(event: bytes) -> bool:
    """Whether this is the chunk that `stream_options.include_usage` adds: usage, and no choices."""
    value = event_json(event)
    return bool(value.get("usage")) and value.get("choices") == []


def replies(recording: Recording) -> list[dict[str, Any]]:
    """The objects of the reply: one, or those of the stream's events in order; none if it is not JSON."""
    if recording.stream:
        return [event_json(event) for event in events(recording.body)]
    try:
        found = json.loads(recording.body)
    except ValueError:
        return []
    return [found] if isinstance(found, dict) else []


def told_usage(recording: Recording) -> dict[str, Any] | None:
    """The usage object of the reply, or of the stream's last event that has one."""
    for reply in reversed(replies(recording)):
        usage = reply.get("usage") or (reply.get("x_groq") or {}).get("usage")
        if usage:
            return dict(usage)
    return None


def told(recording: Recording, field: str) -> str:
    """A text field of the reply, or of the stream's first event that has it; empty if none has."""
    return next((reply[field] for reply in replies(recording) if reply.get(field)), "")


def raw_fields(body: bytes) -> list[tuple[str, bytes]]:
    """The top level of a JSON object: its fields in their order, every value in its own text."""
    return [(name, bytes(raw)) for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()]


@cache
def rows_of(*providers: str) -> tuple[dict[str, Any], ...]:
    """Every exchange with these providers, whatever format it has."""
    return tuple(row for row in _rows() if row["provider"] in providers)


def name_of(row: dict[str, Any]) -> str:
    """How the row is found again."""
    return f"{row['source']}:{row['path']}:{row['idx']}"


def reply_of(wire: Wire, spec: ProviderSpec, row: dict[str, Any]) -> ChatReply:
    """What a wire format makes of an answer, whole or streamed."""
    body = row["response_body"].encode()
    if row["streaming"]:
        parser = wire.stream_parser(spec=spec)
        return collect([*parser.feed(body), *parser.finish()])
    reply = wire.parse_reply(body, spec=spec)
    assert reply is not None, name_of(row)
    return reply
