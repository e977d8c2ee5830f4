"""Cohere's chat, version 2, as a wire format."""

from collections.abc import Sequence

import msgspec

from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.auth import json_headers
from tollway.providers.cohere.error import classify
from tollway.providers.cohere.reply import parse_reply
from tollway.providers.cohere.request import build_body
from tollway.providers.cohere.stream import CohereStream
from tollway.providers.registry import ProviderSpec
from tollway.providers.wire_names import COHERE
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_encode = msgspec.json.Encoder().encode


class CohereWire:
    """The format. Satisfies `tollway.providers.wire.Wire`."""

    name = COHERE
    streams_as = "text/event-stream"

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """See `Wire.build_request`."""
        headers = json_headers(spec.auth, deployment)
        body = build_body(chat, model=model, losses=losses)
        return UpstreamRequest(f"{deployment.base_url}/chat", headers, _encode(body))

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:  # noqa: ARG002 -- it counts one way
        """See `Wire.parse_reply`."""
        return parse_reply(body)

    def stream_parser(self, *, spec: ProviderSpec) -> CohereStream:  # noqa: ARG002 -- it counts one way
        """See `Wire.stream_parser`."""
        return CohereStream()

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Wire.classify_failure`."""
        return classify(status, headers, body)
