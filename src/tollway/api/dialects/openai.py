"""The OpenAI dialect: chat completions, completions, embeddings, moderations, images and audio. Pure.

Source: OpenAI's published OpenAPI description (`openai/openai-openapi`).
"""

from collections.abc import Mapping, Sequence

import msgspec

from tollway.api.dialects.openai_chat_reply import render_reply
from tollway.api.dialects.openai_chat_request import to_chat
from tollway.api.dialects.openai_chat_stream import ChunkRenderer
from tollway.api.dialects.openai_form import is_form, read_form
from tollway.api.dialects.top_level import flag_of, members_of, model_of, read_fields, tags_of, text_or_none
from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.constants import TAG_VALUE_MAX_CHARS
from tollway.errors import TollwayError
from tollway.routing.call import Call, Surface

_SPEECH = "speech"
_encode = msgspec.json.Encoder().encode
_WHOLE_ONLY = ("n", "tools", "functions", "response_format", "logprobs", "audio")
"""Fields of requests whose answers cannot be gone on with in the middle."""


class _Message(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class _Envelope(msgspec.Struct):
    error: _Message


def parse(body: bytes, *, surface: str, required: Sequence[str], tags_header: str = "", form_type: bytes = b"") -> Call:
    """Read a request body.

    Args:
        body: JSON as it came, or a multipart form.
        surface: name of the surface.
        required: fields that must be there besides ``model``.
        tags_header: value of ``x-tollway-tags``.
        form_type: value of ``content-type`` if the body is a form.

    Raises:
        MalformedBodyError: not a JSON object in UTF-8, or not a form.
        InvalidRequestError: a field that Tollway itself needs is absent or of the wrong type.
    """
    fields, form = read_form(body, form_type, required) if form_type else (read_fields(body, required), None)
    model = model_of(fields)
    stream = flag_of(fields, "stream") or (surface == _SPEECH and _streams_events(fields))
    return Call(
        surface=surface,
        model=model,
        fields=fields,
        body=body,
        stream=stream,
        wants_usage=stream and _wants_usage(fields),
        user_tag=_user_tag(fields),
        tags=tags_of(fields, tags_header) if tags_header or "metadata" in fields else (),
        form=form,
    )


class OpenAIDialect:
    """The dialect as what its surfaces share."""

    names_request_id = False

    def parse(self, body: bytes, *, surface: Surface, headers: Mapping[bytes, bytes]) -> Call:
        """See `parse` of this module."""
        tags = headers.get(b"x-tollway-tags", b"").decode("utf-8", "replace")
        form_type = headers[b"content-type"] if surface.form and is_form(headers) else b""
        return parse(body, surface=surface.name, required=surface.required, tags_header=tags, form_type=form_type)

    def to_chat(self, call: Call, losses: Losses) -> ChatRequest:
        """See `tollway.api.dialects.openai_chat_request`."""
        return to_chat(call, losses)

    def continued(self, call: Call, told: str) -> Call | None:
        """The conversation with the partial answer as its last message, which models go on with.

        Not for several choices, tools or structured output: there is no half of a tool call to go on with.
        """
        if call.surface != "chat" or not told or any(name in call.fields for name in _WHOLE_ONLY):
            return None
        messages = bytes(call.fields["messages"]).rstrip()
        partial = _encode({"role": "assistant", "content": told})
        fields = call.fields | {"messages": msgspec.Raw(messages[:-1] + b"," + partial + b"]")}
        return msgspec.structs.replace(call, fields=fields, body=_encode(fields))

    def render_reply(self, reply: ChatReply, call: Call) -> bytes:
        """See `tollway.api.dialects.openai_chat_reply`."""
        return render_reply(reply, call)

    def renderer(self, call: Call) -> ChunkRenderer:
        """See `tollway.api.dialects.openai_chat_stream`."""
        return ChunkRenderer(call, error_event)

    def error_body(self, error: TollwayError) -> bytes:
        """See `error_body` of this module."""
        return error_body(error)

    def error_event(self, error: TollwayError) -> bytes:
        """See `error_event` of this module."""
        return error_event(error)


def error_body(error: TollwayError) -> bytes:
    """The error envelope: ``{"error": {message, type, param, code}}``."""
    return _encode(_Envelope(_Message(message=error.text, type=error.kind, param=error.param, code=error.code)))


def error_event(error: TollwayError) -> bytes:
    """The envelope as an event of a stream."""
    return b"data: " + error_body(error) + b"\n\n"


def _streams_events(fields: dict[str, msgspec.Raw]) -> bool:
    """Whether speech is asked for as events and not as a file."""
    return bytes(fields.get("stream_format", b"")) == b'"sse"'


def _wants_usage(fields: dict[str, msgspec.Raw]) -> bool:
    return bytes(members_of(fields, "stream_options").get("include_usage", b"")) == b"true"


def _user_tag(fields: dict[str, msgspec.Raw]) -> str:
    for name in ("safety_identifier", "user"):
        raw = fields.get(name)
        if raw is not None and (text := text_or_none(raw)):
            return text.replace("\x00", "")[:TAG_VALUE_MAX_CHARS]
    return ""
