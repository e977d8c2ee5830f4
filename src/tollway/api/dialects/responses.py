"""The dialect of OpenAI's Responses API: what callers of ``/v1/responses`` speak. Pure.

Source: https://platform.openai.com/docs/api-reference/responses, and the types of OpenAI's own SDK.
"""

import time
from collections.abc import Mapping

import msgspec

from tollway.api.dialects import openai
from tollway.api.dialects.responses_object import Header, response_id_of
from tollway.api.dialects.responses_reply import render_reply
from tollway.api.dialects.responses_request import to_chat
from tollway.api.dialects.responses_stream import ResponsesRenderer
from tollway.api.dialects.top_level import absent
from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.errors import TollwayError
from tollway.routing.call import Call, Surface

_encode = msgspec.json.Encoder().encode
_INSTEAD_OF_INPUT = ("previous_response_id", "conversation", "prompt")


class _Error(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str


class _Event(msgspec.Struct):
    type: str
    sequence_number: int
    code: str
    message: str
    param: str | None
    error: _Error


class ResponsesDialect:
    """The dialect. Stateless."""

    names_request_id = False

    def parse(self, body: bytes, *, surface: Surface, headers: Mapping[bytes, bytes]) -> Call:
        """See `tollway.chat.dialect.Dialect.parse`. What goes on with a dialogue may have no input of its own."""
        tags = headers.get(b"x-tollway-tags", b"").decode("utf-8", "replace")
        call = openai.parse(body, surface=surface.name, required=(), tags_header=tags)
        for name in surface.required:
            if name not in call.fields and not any(other in call.fields for other in _INSTEAD_OF_INPUT):
                raise absent(name)
        return call

    def to_chat(self, call: Call, losses: Losses) -> ChatRequest:
        """See `tollway.chat.dialect.ChatDialect.to_chat`."""
        return to_chat(call, losses)

    def render_reply(self, reply: ChatReply, call: Call) -> bytes:
        """See `tollway.chat.dialect.ChatDialect.render_reply`."""
        return render_reply(reply, call)

    def renderer(self, call: Call) -> ResponsesRenderer:
        """See `tollway.chat.dialect.ChatDialect.renderer`."""
        return ResponsesRenderer(call)

    def state_body(self, call: Call, status: str, error: tuple[str, str] | None = None) -> bytes:
        """See `tollway.chat.dialect.KeepingDialect.state_body`."""
        header = Header(call, response_id_of(call), int(time.time()), call.model)
        told = None if error is None else {"code": error[0], "message": error[1]}
        return _encode(header.response(status, error=told))

    def error_body(self, error: TollwayError) -> bytes:
        """See `tollway.api.dialects.openai.error_body`."""
        return openai.error_body(error)

    def error_event(self, error: TollwayError) -> bytes:
        """An ``error`` event. It holds the envelope as well, by which SDKs know that the stream is not whole."""
        told = _Error(error.text, error.kind, error.param, error.code)
        event = _Event("error", 0, error.code, error.text, error.param, told)
        return b"event: error\ndata: " + _encode(event) + b"\n\n"
