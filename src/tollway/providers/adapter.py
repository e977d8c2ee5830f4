"""Adapters: how one dialect is spoken towards providers. Pure; the transport carries the bytes."""

import msgspec

from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible import prompt, reply, request
from tollway.providers.openai_compatible.bound import RequestBound, other_models, request_bound
from tollway.providers.openai_compatible.count import counted
from tollway.providers.openai_compatible.stream import StreamParser
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_usage
from tollway.providers.usage.openai import parse_usage
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment

_COMPLETION_LIMITS = ("max_tokens",)
DEFAULT_TIERS = frozenset({"", "default", "auto", "standard"})
"""Names of the service tier that has a model's usual prices."""


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
        service_tier: the tier that served the request, if its price differs from the default one.
    """

    model: str = ""
    usage: Usage | None = None
    provider_cost: int | None = None
    service_tier: str = ""


class OpenAIAdapter:
    """The OpenAI dialect, passed through."""

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:
        """The most that the request makes the provider count.

        Raises:
            InvalidRequestError: a field that bounds it is no number.
        """
        return request_bound(
            call,
            model=model,
            limits=_limits(call, spec),
            context_tokens=context_tokens,
            searches=spec.usage.searches,
        )

    def other_models(self, call: Call) -> str | None:
        """The field by which another model may answer than the one that is asked, ``None`` if there is none."""
        return other_models(call.fields)

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:
        """The bound with the input counted, where that can be done. Slow."""
        return counted(call, bound, model=model)

    def build_request(
        self,
        call: Call,
        *,
        surface: Surface,
        deployment: Deployment,
        spec: ProviderSpec,
        model: str,
        bounded: bool = False,
        output_tokens: int = 0,
    ) -> UpstreamRequest:
        """The request for the provider: the caller's bytes but for the model, ``include_usage`` and the output's bound.

        Args:
            call: the parsed request.
            surface: where it came in.
            deployment: who is asked.
            spec: of the provider.
            model: the name of the model at the provider.
            bounded: whether the bound of the request must hold, because a budget relies on it.
            output_tokens: the bound to set for one answer; 0 to leave it as it is.
        """
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if deployment.credential:
            headers["authorization"] = f"Bearer {deployment.credential}"
        ask_for_usage = call.stream and not call.wants_usage and spec.stream_usage_option
        return UpstreamRequest(
            url=deployment.base_url + surface.upstream_path,
            headers=headers,
            body=request.build_body(
                call,
                model=model,
                ask_for_usage=ask_for_usage,
                limits=_limits(call, spec) if bounded else (),
                limit=output_tokens,
            ),
        )

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """What a whole reply says; ``None`` if it is not a JSON object."""
        found = reply.parse_reply(body)
        return None if found is None else _answer(found, spec)

    def stream_parser(self, call: Call, *, spec: ProviderSpec) -> StreamParser:
        """A parser for one stream; it removes the usage chunk that only we asked for."""
        remove_usage = not call.wants_usage and spec.stream_usage_option
        return StreamParser(remove_usage=remove_usage, several="n" in call.fields or call.surface == "completions")

    def parse_stream(self, parser: StreamParser, *, spec: ProviderSpec) -> Answer:
        """What a stream has said so far."""
        return _answer(parser, spec)

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """Tokens counted by us, where the provider did not tell."""
        return estimate_usage(prompt.prompt_texts(call), delivered)

    def reply_texts(self, body: bytes) -> list[str]:
        """The generated texts of a whole reply."""
        return reply.reply_texts(body)


def _limits(call: Call, spec: ProviderSpec) -> tuple[str, ...]:
    return spec.output_limit_fields if call.surface == "chat" else _COMPLETION_LIMITS


def _answer(found: reply.Reply | StreamParser, spec: ProviderSpec) -> Answer:
    tier = "" if found.service_tier in DEFAULT_TIERS else found.service_tier
    parsed = parse_usage(found.usage, convention=spec.usage) if found.usage is not None else None
    if parsed is None:
        return Answer(found.model, service_tier=tier)
    return Answer(found.model, parsed.usage, parsed.provider_cost, tier)


ADAPTERS: dict[str, OpenAIAdapter] = {"openai": OpenAIAdapter()}
"""Dialect → adapter."""
