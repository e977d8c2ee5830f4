"""Adapters: how one dialect is spoken towards providers. Pure; the transport carries the bytes."""

from typing import Protocol

import msgspec

from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible import prompt, reply, request, stream
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_usage
from tollway.providers.usage.openai import parse_usage
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment

ACCEPTED_HEADERS = ("openai-beta", "http-referer", "x-title")
"""Headers of the caller that go to the provider: all that are known to change an answer and hold no secret."""


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What the transport sends."""

    url: str
    headers: dict[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True):
    """What a provider said of its reply.

    Attributes:
        model: the model that answered, empty if not said.
        usage: the provider's own count, ``None`` if it gave none that adds up.
        provider_cost: pico-dollars the provider says it charges.
    """

    model: str = ""
    usage: Usage | None = None
    provider_cost: int | None = None


class StreamParser(Protocol):
    """Reads a stream while it passes; see `tollway.providers.openai_compatible.stream.StreamParser`."""

    done: bool
    failed: bool

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes as they came; return the bytes to pass on now."""
        ...

    def take_end(self) -> bytes:
        """What is left to pass on when the stream has ended."""
        ...

    def delivered_texts(self) -> list[str]:
        """The generated texts that passed."""
        ...


class OpenAIAdapter:
    """The OpenAI dialect, passed through."""

    def build_request(
        self, call: Call, *, surface: Surface, deployment: Deployment, spec: ProviderSpec, model: str
    ) -> UpstreamRequest:
        """The request for the provider: the caller's bytes but for the model and ``include_usage``."""
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if deployment.credential:
            headers["authorization"] = f"Bearer {deployment.credential}"
        ask_for_usage = call.stream and not call.wants_usage and spec.stream_usage_option
        return UpstreamRequest(
            url=deployment.base_url + surface.upstream_path,
            headers=headers,
            body=request.build_body(call, model=model, ask_for_usage=ask_for_usage),
        )

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """What a whole reply says; ``None`` if it is not a JSON object."""
        found = reply.parse_reply(body)
        return None if found is None else _answer(found.model, found.usage, spec)

    def stream_parser(self, call: Call, *, spec: ProviderSpec) -> stream.StreamParser:
        """A parser for one stream; it removes the usage chunk that only we asked for."""
        return stream.StreamParser(remove_usage=not call.wants_usage and spec.stream_usage_option)

    def parse_stream(self, parser: stream.StreamParser, *, spec: ProviderSpec) -> Answer:
        """What a stream has said so far."""
        return _answer(parser.model, parser.usage, spec)

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """Tokens counted by us, where the provider did not tell."""
        return estimate_usage(prompt.prompt_texts(call), delivered)

    def reply_texts(self, body: bytes) -> list[str]:
        """The generated texts of a whole reply."""
        return reply.reply_texts(body)


def _answer(model: str, raw: msgspec.Raw | None, spec: ProviderSpec) -> Answer:
    parsed = parse_usage(raw, convention=spec.usage) if raw is not None else None
    if parsed is None:
        return Answer(model=model)
    return Answer(model=model, usage=parsed.usage, provider_cost=parsed.provider_cost)


ADAPTERS: dict[str, OpenAIAdapter] = {"openai": OpenAIAdapter()}
"""Dialect → adapter."""
