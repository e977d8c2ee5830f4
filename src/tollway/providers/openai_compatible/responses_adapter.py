"""The Responses API towards a provider that has it too: bytes pass, but for what tells of Tollway's state."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tollway.ledger.usage import Usage
from tollway.providers.adapter import Answer, UpstreamRequest
from tollway.providers.address import url_of
from tollway.providers.auth import json_headers
from tollway.providers.openai_compatible import error, prompt
from tollway.providers.openai_compatible.answer import answer_of
from tollway.providers.openai_compatible.bound import RequestBound, other_models, request_bound
from tollway.providers.openai_compatible.count import counted
from tollway.providers.openai_compatible.responses_media import find_media
from tollway.providers.openai_compatible.responses_reply import read_response, response_texts, retold
from tollway.providers.openai_compatible.responses_request import OUTPUT_LIMIT, build_body
from tollway.providers.openai_compatible.responses_stream import ResponsesStreamParser
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_usage
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_BOUNDLESS = ("prompt", "context_management", "moderation")
"""Fields by which the provider reads or writes what the request does not hold."""


class ResponsesAdapter:
    """Passes one request of the Responses API on. Satisfies `tollway.providers.adapter.Adapter`."""

    streams_as = "text/event-stream"
    translates = False

    def __init__(self, call: Call) -> None:
        self._told = call.recalled.told if call.recalled is not None else {}

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:
        """See `Adapter.bound`. What went before is a part of the body."""
        bound = request_bound(
            call,
            model=model,
            limits=(OUTPUT_LIMIT,),
            context_tokens=context_tokens,
            searches=spec.usage.searches,
            media_of=find_media,
        )
        reads = next((name for name in _BOUNDLESS if bytes(call.fields.get(name, b"null")) != b"null"), "")
        return replace(bound, boundless=reads) if reads and not bound.boundless else bound

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
        headers = json_headers(spec.auth_for(deployment), deployment)
        return UpstreamRequest(
            url=url_of(deployment, spec, surface.upstream_path, model),
            headers=headers,
            body=build_body(call, model=model, limit=output_tokens),
        )

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """See `Adapter.parse_reply`."""
        found = read_response(body)
        if found is None:
            return None
        answer = answer_of(found, spec)
        return replace(answer, body=retold(body, self._told)) if self._told else answer

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> "ResponsesStreamReader":  # noqa: ARG002 -- it knows it
        """See `Adapter.stream_reader`."""
        return ResponsesStreamReader(spec, self._told)

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """See `Adapter.estimate`."""
        return estimate_usage(prompt.prompt_texts(call), delivered)

    def reply_texts(self, body: bytes) -> list[str]:
        """See `Adapter.reply_texts`."""
        return response_texts(body)

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Adapter.classify_failure`."""
        return error.classify(status, headers, body)

    def error_body(self, failure: Failure, body: bytes, *, provider: str) -> bytes:
        """See `Adapter.error_body`."""
        return error.enveloped(failure, body, provider=provider)


class ResponsesStreamReader(ResponsesStreamParser):
    """A stream that knows how its provider counts. Satisfies `tollway.providers.adapter.StreamReader`."""

    __slots__ = ("_spec",)

    def __init__(self, spec: ProviderSpec, told: Mapping[str, msgspec.Raw]) -> None:
        super().__init__(told)
        self._spec = spec

    def answer(self) -> Answer:
        """What the stream has said so far."""
        return answer_of(self, self._spec)
