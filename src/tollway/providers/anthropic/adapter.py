"""Anthropic's Messages API towards a provider that speaks it too: bytes pass through."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED, decode_object
from tollway.ledger.usage import Usage
from tollway.providers.adapter import Answer, UpstreamRequest
from tollway.providers.anthropic.address import request_headers
from tollway.providers.anthropic.bound import other_models, request_bound
from tollway.providers.anthropic.error import classify, enveloped
from tollway.providers.anthropic.names import STREAM_TYPE
from tollway.providers.anthropic.passing_stream import AnthropicStreamReader, answer_of
from tollway.providers.anthropic.reply import is_count, parse_head, parse_message
from tollway.providers.anthropic.thinking import LEAST_BUDGET
from tollway.providers.chat_texts import part_texts
from tollway.providers.free import NO_USAGE, NOTHING
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.openai_compatible.prompt import texts_of
from tollway.providers.openai_compatible.request import build_body
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.anthropic import read_usage
from tollway.providers.usage.estimate import estimate_usage
from tollway.providers.vertex.passing import at_vertex
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_LIMITS = ("max_tokens",)
_VERTEX = "vertex"
_PROMPT = ("system", "messages", "tools")
_NO_TEXTS = frozenset({"source", "signature", "data", "cache_control", "encrypted_content"})
"""Members of blocks that are no text to a tokenizer."""
_encode = msgspec.json.Encoder().encode
_decode_count = msgspec.json.Decoder(int).decode


class AnthropicAdapter:
    """The API, passed through."""

    streams_as = STREAM_TYPE
    translates = False

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:  # noqa: ARG002
        """See `Adapter.bound`."""
        return request_bound(call, context_tokens=context_tokens)

    def other_models(self, call: Call) -> str | None:
        """See `Adapter.other_models`."""
        return other_models(call.fields)

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:  # noqa: ARG002
        """Nothing: the tokenizer is not public."""
        return None

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
        """The caller's bytes but for the model and the output's bound."""
        if output_tokens:
            call = _with_less_thinking(call, output_tokens)
        request = UpstreamRequest(
            url=deployment.base_url + surface.upstream_path,
            headers=request_headers(deployment, spec, call.headers),
            body=build_body(call, model=model, ask_for_usage=False, limits=_LIMITS, limit=output_tokens),
        )
        if spec.addresses != _VERTEX:
            return request
        return at_vertex(request, deployment, surface=surface.name, model=model, stream=call.stream)

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:  # noqa: ARG002 -- it counts one way
        """See `Adapter.parse_reply`."""
        head = parse_head(body)
        return None if head is None else answer_of(head.model or "", read_usage(head.usage))

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> AnthropicStreamReader:  # noqa: ARG002
        """See `Adapter.stream_reader`."""
        return AnthropicStreamReader()

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """See `Adapter.estimate`."""
        return estimate_usage(texts_of(call, _PROMPT, without=_NO_TEXTS), delivered)

    def reply_texts(self, body: bytes) -> list[str]:
        """See `Adapter.reply_texts`."""
        found = parse_message(body)
        return [] if found is None else [text for part in found.choices[0].parts for text in part_texts(part)]

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Adapter.classify_failure`."""
        return classify(status, headers, body)

    def error_body(self, failure: Failure, body: bytes, *, provider: str) -> bytes:
        """The provider's own words, put into the envelope if they have none."""
        return enveloped(failure, body, provider=provider)


class CountAdapter(AnthropicAdapter):
    """``count_tokens``, passed through: it costs nothing."""

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:  # noqa: ARG002
        """Nothing is counted for a count."""
        return NOTHING

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:  # noqa: ARG002 -- it counts one way
        """A count is no usage."""
        return Answer(usage=NO_USAGE) if is_count(body) else None


def _with_less_thinking(call: Call, output_tokens: int) -> Call:
    """The request with a budget of thoughts that fits below the bound we set: the API refuses a greater one."""
    raw = call.fields.get("thinking")
    try:
        thinking = decode_object(raw) if raw is not None else {}
        budget = _decode_count(thinking["budget_tokens"]) if "budget_tokens" in thinking else 0
    except MALFORMED:
        return call
    if budget < output_tokens:
        return call
    fields = call.fields.copy()
    if output_tokens <= LEAST_BUDGET:
        del fields["thinking"]
    else:
        thinking["budget_tokens"] = Raw(_encode(output_tokens - 1))
        fields["thinking"] = Raw(_encode(thinking))
    return msgspec.structs.replace(call, fields=fields)
