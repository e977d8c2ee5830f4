"""The OpenAI wire format: chat completions, as most providers speak them. The four parts; each has its module."""

from collections.abc import Sequence

import msgspec

from tollway.chat.collect import collect
from tollway.chat.events import Counted, Event
from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.address import url_of
from tollway.providers.auth import json_headers
from tollway.providers.openai_compatible import error
from tollway.providers.openai_compatible.chat_body import chat_body
from tollway.providers.openai_compatible.chat_parts import Body, usage_of
from tollway.providers.openai_compatible.chat_stream import ChatStream, answer_events, begun_of
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.openai import parse_usage
from tollway.providers.wire_names import OPENAI
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

_PATH = "/chat/completions"
_decode = tolerant(msgspec.json.Decoder(Body).decode)


class OpenAIWire:
    """Satisfies `tollway.providers.wire.Wire`."""

    name = OPENAI
    streams_as = "text/event-stream"

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """See `Wire.build_request`."""
        headers = json_headers(spec.auth_for(deployment), deployment)
        body = chat_body(chat, spec=spec, model=model, losses=losses)
        return UpstreamRequest(url_of(deployment, spec, _PATH, model), headers, body)

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:
        """See `Wire.parse_reply`. A whole reply is read as a stream of one chunk."""
        try:
            found = _decode(body)
        except MALFORMED:
            return None
        if found.choices is None:
            return None
        events: list[Event] = [begun_of(found), *answer_events(found)]
        usage = usage_of(found)
        parsed = parse_usage(usage, convention=spec.usage) if usage is not None else None
        if parsed is not None:
            events.append(Counted(parsed.usage, True, parsed.provider_cost, found.service_tier or ""))
        return collect(events)

    def stream_parser(self, *, spec: ProviderSpec) -> ChatStream:
        """See `Wire.stream_parser`."""
        return ChatStream(spec)

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Wire.classify_failure`."""
        return error.classify(status, headers, body)


OPENAI_WIRE = OpenAIWire()
