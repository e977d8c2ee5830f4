"""The Responses API towards a provider that has it too: bytes pass, but for what tells of Tollway's state."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from tollway.providers.adapter import Answer
from tollway.providers.openai_compatible.adapter import OpenAIAdapter
from tollway.providers.openai_compatible.answer import answer_of
from tollway.providers.openai_compatible.bound import RequestBound, request_bound
from tollway.providers.openai_compatible.responses_media import find_media
from tollway.providers.openai_compatible.responses_reply import read_response, response_texts, retold
from tollway.providers.openai_compatible.responses_request import OUTPUT_LIMIT, build_body
from tollway.providers.openai_compatible.responses_stream import ResponsesStreamParser
from tollway.providers.registry import ProviderSpec
from tollway.routing.call import Call

_BOUNDLESS = ("prompt", "context_management", "moderation")
"""Fields by which the provider reads or writes what the request does not hold."""


class ResponsesAdapter(OpenAIAdapter):
    """Passes one request of the Responses API on."""

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

    def _body(self, call: Call, *, spec: ProviderSpec, model: str, limit: int) -> bytes:  # noqa: ARG002 -- see the base
        return build_body(call, model=model, limit=limit)

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

    def reply_texts(self, body: bytes) -> list[str]:
        """See `Adapter.reply_texts`."""
        return response_texts(body)


class ResponsesStreamReader(ResponsesStreamParser):
    """A stream that knows how its provider counts. Satisfies `tollway.providers.adapter.StreamReader`."""

    __slots__ = ("_spec",)

    def __init__(self, spec: ProviderSpec, told: Mapping[str, msgspec.Raw]) -> None:
        super().__init__(told)
        self._spec = spec

    def answer(self) -> Answer:
        """What the stream has said so far."""
        return answer_of(self, self._spec)
