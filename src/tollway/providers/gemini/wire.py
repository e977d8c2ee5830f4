"""generateContent as a wire format, at the addresses of the Gemini API and of Vertex AI."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.providers.adapter import DEFAULT_TIERS, UpstreamRequest
from tollway.providers.auth import json_headers
from tollway.providers.gemini.error import classify
from tollway.providers.gemini.reply import parse_reply
from tollway.providers.gemini.request import build_body
from tollway.providers.gemini.stream import GeminiStream
from tollway.providers.registry import ProviderSpec
from tollway.providers.vertex.address import vertex_url
from tollway.providers.wire_names import GEMINI
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_TIERS = frozenset({"flex", "priority"})
_VERTEX_TIER_HEADER = "x-vertex-ai-llm-shared-request-type"
"""https://cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo"""
_MODELS, _TUNED = "models/", "tunedModels/"
_encode = msgspec.json.Encoder().encode


class GeminiWire:
    """The format. Satisfies `tollway.providers.wire.Wire`; what differs between its two hosts is given to it."""

    name = GEMINI
    streams_as = "text/event-stream"

    def __init__(self, *, on_vertex: bool = False) -> None:
        """Args: on_vertex: whether it is spoken to Vertex AI."""
        self._on_vertex = on_vertex
        self._url: Callable[[Deployment, str, str], str] = _vertex_url if on_vertex else _gemini_url

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """See `Wire.build_request`."""
        body = build_body(chat, model=model, base_url=deployment.base_url, on_vertex=self._on_vertex, losses=losses)
        headers = json_headers(spec.auth, deployment) | self._tier(chat, body, losses)
        url = self._url(deployment, model, "streamGenerateContent" if chat.stream else "generateContent")
        return UpstreamRequest(f"{url}?alt=sse" if chat.stream else url, headers, _encode(body))

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:  # noqa: ARG002 -- all count alike
        """See `Wire.parse_reply`."""
        return parse_reply(body)

    def stream_parser(self, *, spec: ProviderSpec) -> GeminiStream:  # noqa: ARG002 -- all count alike
        """See `Wire.stream_parser`."""
        return GeminiStream()

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Wire.classify_failure`."""
        return classify(status, headers, body)

    def _tier(self, chat: ChatRequest, body: dict[str, Any], losses: Losses) -> dict[str, str]:
        """The service tier: a field of the Gemini API, a header of Vertex AI."""
        if chat.service_tier in DEFAULT_TIERS:
            return {}
        if chat.service_tier not in _TIERS:
            losses.lose("service_tier", "Gemini knows `standard`, `flex` and `priority`.")
            return {}
        if self._on_vertex:
            return {_VERTEX_TIER_HEADER: chat.service_tier}
        body["serviceTier"] = chat.service_tier
        return {}


def _gemini_url(deployment: Deployment, model: str, method: str) -> str:
    kind = _TUNED if model.startswith(_TUNED) else _MODELS
    return f"{deployment.base_url}/{kind}{quote(model.removeprefix(kind), safe='')}:{method}"


def _vertex_url(deployment: Deployment, model: str, method: str) -> str:
    return vertex_url(deployment, publisher="google", model=model, method=method)
