"""Amazon Bedrock's Converse as a wire format. Its older ``invoke`` has a form for each model, and is not spoken."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.auth import auth_headers
from tollway.providers.bedrock import failure, reply
from tollway.providers.bedrock.request import converse_body
from tollway.providers.bedrock.stream import ConverseStream
from tollway.providers.registry import ProviderSpec
from tollway.providers.wire_names import BEDROCK
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure


class BedrockWire:
    """Satisfies `tollway.providers.wire.Wire`."""

    name = BEDROCK
    streams_as = "application/vnd.amazon.eventstream"

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """See `Wire.build_request`. The model is a part of the address: an id, a profile's, or an ARN."""
        body = converse_body(chat, model=model, options=deployment.options, losses=losses)
        method = "converse-stream" if chat.stream else "converse"
        headers = {
            "content-type": "application/json",
            "accept": self.streams_as if chat.stream else "application/json",
            **auth_headers(spec.auth, deployment),
        }
        url = f"{deployment.base_url}/model/{quote(model, safe='')}/{method}"
        return UpstreamRequest(url, headers, msgspec.json.encode(body))

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:  # noqa: ARG002 -- one convention
        """See `Wire.parse_reply`."""
        return reply.parse_reply(body)

    def stream_parser(self, *, spec: ProviderSpec) -> ConverseStream:  # noqa: ARG002 -- as above
        """See `Wire.stream_parser`."""
        return ConverseStream()

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Wire.classify_failure`."""
        return failure.classify_failure(status, headers, body)
