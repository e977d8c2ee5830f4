"""The OpenAI dialect towards a provider that speaks it too: bytes pass through."""

from collections.abc import Sequence

from tollway.ledger.usage import Usage
from tollway.providers.adapter import Answer, StreamReader, UpstreamRequest
from tollway.providers.address import url_of
from tollway.providers.auth import json_headers
from tollway.providers.openai_compatible import error, prompt, reply, request
from tollway.providers.openai_compatible.answer import answer_of
from tollway.providers.openai_compatible.bound import RequestBound, other_models, request_bound
from tollway.providers.openai_compatible.count import counted
from tollway.providers.openai_compatible.stream import StreamParser
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_usage
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_COMPLETION_LIMITS = ("max_tokens",)


class OpenAIAdapter:
    """The OpenAI dialect, passed through."""

    streams_as = "text/event-stream"
    translates = False

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:
        """See `Adapter.bound`."""
        return request_bound(
            call,
            model=model,
            limits=_limits(call, spec),
            context_tokens=context_tokens,
            searches=spec.usage.searches,
        )

    def other_models(self, call: Call) -> str | None:
        """See `Adapter.other_models`."""
        return other_models(call.fields)

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:
        """See `Adapter.count`."""
        return counted(call, bound, model=model)

    def build_request(
        self,
        call: Call,
        *,
        surface: Surface,
        deployment: Deployment,
        spec: ProviderSpec,
        model: str,
        output_tokens: int = 0,
    ) -> UpstreamRequest:
        """See `Adapter.build_request`."""
        return UpstreamRequest(
            url=url_of(deployment, spec, surface.upstream_path, model),
            headers=json_headers(spec.auth_for(deployment), deployment),
            body=self._body(call, spec=spec, model=model, limit=output_tokens),
        )

    def _body(self, call: Call, *, spec: ProviderSpec, model: str, limit: int) -> bytes:
        """The caller's bytes but for the model, ``include_usage`` and the output's bound."""
        ask_for_usage = call.stream and not call.wants_usage and spec.stream_usage_option
        return request.build_body(
            call, model=model, ask_for_usage=ask_for_usage, limits=_limits(call, spec), limit=limit
        )

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """See `Adapter.parse_reply`."""
        found = reply.parse_reply(body)
        return None if found is None else answer_of(found, spec)

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> StreamReader:
        """Reads one stream; removes the usage chunk that only we asked for."""
        remove_usage = not call.wants_usage and spec.stream_usage_option
        several = "n" in call.fields or call.surface == "completions"
        return OpenAIStreamReader(spec, remove_usage=remove_usage, several=several)

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """See `Adapter.estimate`."""
        return estimate_usage(prompt.prompt_texts(call), delivered)

    def reply_texts(self, body: bytes) -> list[str]:
        """See `Adapter.reply_texts`."""
        return reply.reply_texts(body)

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Adapter.classify_failure`."""
        return error.classify(status, headers, body)

    def error_body(self, failure: Failure, body: bytes, *, provider: str) -> bytes:
        """The provider's own words, put into the envelope if they have none."""
        return error.enveloped(failure, body, provider=provider)


class OpenAIStreamReader(StreamParser):
    """A stream that knows how its provider counts."""

    __slots__ = ("_spec",)

    def __init__(self, spec: ProviderSpec, *, remove_usage: bool, several: bool) -> None:
        super().__init__(remove_usage=remove_usage, several=several)
        self._spec = spec

    def answer(self) -> Answer:
        """What the stream has said so far."""
        return answer_of(self, self._spec)


def _limits(call: Call, spec: ProviderSpec) -> tuple[str, ...]:
    return spec.output_limit_fields if call.surface == "chat" else _COMPLETION_LIMITS
