"""Anthropic's Messages API as a wire format: callers of any dialect can be served by it."""

from collections.abc import Sequence

import msgspec

from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.anthropic.address import request_headers
from tollway.providers.anthropic.error import classify
from tollway.providers.anthropic.names import SOURCE, STREAM_TYPE
from tollway.providers.anthropic.reply import parse_message
from tollway.providers.anthropic.request import messages_body
from tollway.providers.anthropic.stream import AnthropicStream
from tollway.providers.registry import ProviderSpec
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_encode = msgspec.json.Encoder().encode


class AnthropicWire:
    """The format at Anthropic itself. Satisfies `tollway.providers.wire.Wire`."""

    name = SOURCE
    streams_as = STREAM_TYPE

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """See `Wire.build_request`."""
        body = {"model": model} | messages_body(chat, model=model, losses=losses)
        if chat.stream:
            body["stream"] = True
        return UpstreamRequest(deployment.base_url + "/messages", request_headers(deployment, spec), _encode(body))

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:  # noqa: ARG002 -- it counts one way
        """See `Wire.parse_reply`."""
        return parse_message(body)

    def stream_parser(self, *, spec: ProviderSpec) -> AnthropicStream:  # noqa: ARG002 -- it counts one way
        """See `Wire.stream_parser`."""
        return AnthropicStream()

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Wire.classify_failure`."""
        return classify(status, headers, body)
