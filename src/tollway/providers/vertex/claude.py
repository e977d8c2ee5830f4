"""Anthropic's models at Vertex AI: Anthropic's own format, with the model in the address and not in the body.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
"""

from collections.abc import Sequence

import msgspec

from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.anthropic.request import messages_body
from tollway.providers.anthropic.stream import AnthropicStream
from tollway.providers.anthropic.wire import AnthropicWire
from tollway.providers.auth import json_headers
from tollway.providers.registry import ProviderSpec
from tollway.providers.vertex.address import CLAUDE_VERSION, MAKER_OF_CLAUDE, vertex_url
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_NO_SUCH_FIELDS = frozenset({"service_tier"})
"""Vertex AI refuses what it does not know; these Anthropic serves at its own address only."""
_encode = msgspec.json.Encoder().encode


class VertexClaudeWire:
    """The format. Satisfies `tollway.providers.wire.Wire`."""

    def __init__(self) -> None:
        self._anthropic = AnthropicWire()
        self.name = self._anthropic.name
        self.streams_as = self._anthropic.streams_as

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """See `Wire.build_request`."""
        body = {"anthropic_version": CLAUDE_VERSION} | messages_body(chat, model=model, losses=losses)
        for name in _NO_SUCH_FIELDS & body.keys():
            losses.lose(name)
            del body[name]
        if chat.stream:
            body["stream"] = True
        headers = json_headers(spec.auth, deployment)
        method = "streamRawPredict" if chat.stream else "rawPredict"
        url = vertex_url(deployment, publisher=MAKER_OF_CLAUDE, model=model, method=method)
        return UpstreamRequest(url, headers, _encode(body))

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:
        """See `Wire.parse_reply`."""
        return self._anthropic.parse_reply(body, spec=spec)

    def stream_parser(self, *, spec: ProviderSpec) -> AnthropicStream:
        """See `Wire.stream_parser`."""
        return self._anthropic.stream_parser(spec=spec)

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Wire.classify_failure`."""
        return self._anthropic.classify_failure(status, headers, body)
