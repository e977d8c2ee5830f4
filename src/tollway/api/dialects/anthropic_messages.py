"""The dialect of Anthropic's Messages API: ``/v1/messages`` and ``/v1/messages/count_tokens``. Pure.

Sources: https://platform.claude.com/docs/en/api/messages, …/api/messages-count-tokens and …/api/errors.
"""

from collections.abc import Mapping

import msgspec

from tollway.api.dialects.anthropic_reply import render_message
from tollway.api.dialects.anthropic_request import to_chat, user_of
from tollway.api.dialects.anthropic_stream import AnthropicRenderer
from tollway.api.dialects.top_level import flag_of, model_of, read_fields, tags_of
from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.constants import TAG_VALUE_MAX_CHARS
from tollway.errors import TollwayError
from tollway.providers.anthropic.error import Envelope, ErrorBody, error_type
from tollway.providers.anthropic.names import PASSED_HEADERS
from tollway.routing.call import Call, Surface

_encode = msgspec.json.Encoder().encode
_PASSED = tuple((name.encode(), name) for name in PASSED_HEADERS)


class AnthropicDialect:
    """The dialect. Satisfies `tollway.chat.dialect.ChatDialect`."""

    names_request_id = True

    def parse(self, body: bytes, *, surface: Surface, headers: Mapping[bytes, bytes]) -> Call:
        """See `Dialect.parse`. Labels come in the header alone: ``metadata`` has room for the user only."""
        fields = read_fields(body, surface.required)
        model = model_of(fields)
        stream = flag_of(fields, "stream")
        tags = headers.get(b"x-tollway-tags", b"")
        return Call(
            surface=surface.name,
            model=model,
            fields=fields,
            body=body,
            stream=stream,
            wants_usage=stream,
            user_tag=user_of(fields).replace("\x00", "")[:TAG_VALUE_MAX_CHARS],
            tags=tags_of({}, tags.decode("utf-8", "replace")) if tags else (),
            headers=tuple((text, headers[name].decode("latin-1")) for name, text in _PASSED if name in headers),
        )

    def error_body(self, error: TollwayError) -> bytes:
        """The envelope, with our code and the field at fault beside what the API has."""
        kind = error_type(error.refused_with or error.status)
        told = ErrorBody(kind, error.text, error.code, error.param or msgspec.UNSET)
        return _encode(Envelope(told, error.request_id or None))

    def error_event(self, error: TollwayError) -> bytes:
        """The envelope as an event of a stream."""
        return b"event: error\ndata: " + self.error_body(error) + b"\n\n"

    def to_chat(self, call: Call, losses: Losses) -> ChatRequest:
        """See `ChatDialect.to_chat`."""
        return to_chat(call, losses)

    def render_reply(self, reply: ChatReply, call: Call) -> bytes:
        """See `ChatDialect.render_reply`."""
        return render_message(reply, call)

    def renderer(self, call: Call) -> AnthropicRenderer:
        """See `ChatDialect.renderer`."""
        return AnthropicRenderer(call)
