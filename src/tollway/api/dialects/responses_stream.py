"""A stream of the Responses API, made of events of the internal form.

Source: https://platform.openai.com/docs/api-reference/responses-streaming, and recorded streams of OpenAI's: the order
of events is theirs. There is no end mark: the last event tells the state of the whole.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tollway.api.dialects.responses_grown import Grown, GrownBeside, GrownCall, GrownMessage, GrownOther, GrownThoughts
from tollway.api.dialects.responses_object import Header, incomplete_reason, namespaces, note_beside, response_id_of
from tollway.api.dialects.responses_reply import logprobs_of
from tollway.chat.beside import Gathered
from tollway.chat.events import (
    Begun,
    Beside,
    Broke,
    Cited,
    Counted,
    Delta,
    Ended,
    Event,
    Logprobs,
    PartBegun,
    PartEnded,
    SignatureDelta,
    TranscriptDelta,
)
from tollway.chat.message import RefusalPart, TextPart, ThinkingPart, ToolCallPart
from tollway.ledger.usage import Usage
from tollway.routing.call import Call

_encode = msgspec.json.Encoder().encode
_TEXT = TextPart(text="")
_FINAL = {"completed": "response.completed", "incomplete": "response.incomplete", "failed": "response.failed"}


class ResponsesRenderer:
    """Renders one stream. Satisfies `tollway.chat.dialect.StreamRenderer`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._header: Header | None = None
        self._number = 0
        self._out: list[bytes] = []
        self._items: list[Grown] = []
        self._parts: dict[int, Grown] = {}
        self._message: GrownMessage | None = None
        self._spaces = namespaces(call)
        self._usage: Usage | None = None
        self._ended: Ended | None = None
        self._beside = Gathered()
        self._take: dict[type, Callable[[Any], None]] = {
            Begun: self._begin,
            PartBegun: self._begin_part,
            Delta: self._grow,
            SignatureDelta: self._sign,
            Cited: self._cite,
            TranscriptDelta: self._transcribe,
            Logprobs: self._note_logprobs,
            Beside: self._note_beside,
            PartEnded: self._end_part,
            Ended: self._end_answer,
            Counted: self._count,
            Broke: self._break,
        }

    def feed(self, events: Sequence[Event]) -> bytes:
        """See `tollway.chat.dialect.StreamRenderer.feed`. Of several answers only the first is told."""
        for event in events:
            take = self._take.get(type(event))
            if take is not None and not getattr(event, "choice", 0):
                take(event)
        out = b"".join(self._out)
        self._out.clear()
        return out

    def end(self) -> bytes:
        """See `tollway.chat.dialect.StreamRenderer.end`."""
        if self._header is None:
            self._begin(Begun())
        reason = incomplete_reason(self._ended.stop if self._ended is not None else None)
        self._close("incomplete" if reason else "completed", incomplete=reason)
        return self.feed(())

    def emit(self, kind: str, members: bytes) -> None:
        """Write an event; `members` is the inside of its object without ``type`` and ``sequence_number``."""
        name = kind.encode()
        self._out.append(
            b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n' % (name, name, members, self._number)
        )
        self._number += 1

    def _begin(self, event: Begun) -> None:
        if self._header is not None:
            return
        self._header = header = Header(
            self._call,
            response_id_of(self._call),
            event.created_s or int(time.time()),
            event.model,
            service_tier=event.service_tier,
        )
        response = b'"response":' + _encode(header.response("in_progress"))
        self.emit("response.created", response)
        self.emit("response.in_progress", response)

    def _begin_part(self, event: PartBegun) -> None:
        self._begin(Begun())
        part = event.part
        if isinstance(part, TextPart | RefusalPart):
            if self._message is None:
                self._message = GrownMessage(self.emit, len(self._items))
                self._items.append(self._message)
            self._parts[event.index] = self._message.content(part)
            note_beside(self._beside, part, part.citations if isinstance(part, TextPart) else ())
            return
        self._leave_message()
        if isinstance(part, ToolCallPart):
            note_beside(self._beside, part, ())
        place = len(self._items)
        item: Grown
        if isinstance(part, ThinkingPart):
            item = GrownThoughts(self.emit, place, part)
        elif isinstance(part, ToolCallPart):
            item = GrownCall(self.emit, place, part, self._spaces)
        else:
            item = GrownOther(self.emit, place, part)
            if item.item is None:
                self._parts[event.index] = GrownBeside(self._beside, part)
                return
        self._items.append(item)
        self._parts[event.index] = item

    def _leave_message(self, status: str = "completed") -> None:
        """The message has all its parts; it is whole once they are."""
        if self._message is not None:
            self._message.leave(status)
            self._message = None

    def _grow(self, event: Delta) -> None:
        if (part := self._parts.get(event.index)) is not None:
            part.grow(event.text)

    def _sign(self, event: SignatureDelta) -> None:
        if (part := self._parts.get(event.index)) is not None:
            part.sign(event.signature)

    def _cite(self, event: Cited) -> None:
        if (part := self._parts.get(event.index)) is not None:
            part.cite(event.citation)
        note_beside(self._beside, _TEXT, (event.citation,))

    def _transcribe(self, event: TranscriptDelta) -> None:
        if (part := self._parts.get(event.index)) is not None:
            part.transcribe(event.text)

    def _note_beside(self, event: Beside) -> None:
        self._beside.note(event.name, event.raw)

    def _note_logprobs(self, event: Logprobs) -> None:
        """They are told of the text that is being written."""
        if self._message is not None:
            self._message.note(logprobs_of(event.logprobs))

    def _end_part(self, event: PartEnded) -> None:
        if (part := self._parts.pop(event.index, None)) is not None:
            part.end("completed")

    def _end_answer(self, event: Ended) -> None:
        self._ended = event

    def _count(self, event: Counted) -> None:
        self._usage = event.usage
        if event.service_tier and self._header is not None:
            self._header.service_tier = event.service_tier

    def _break(self, event: Broke) -> None:
        self._begin(Begun())
        self._close("failed", error={"code": event.kind or "server_error", "message": event.message})

    def _close(self, status: str, *, incomplete: str = "", error: dict[str, str] | None = None) -> None:
        """End what is open, and tell the whole."""
        assert self._header is not None  # noqa: S101 -- every caller began it
        item_status = "completed" if status == "completed" else "incomplete"
        for part in list(self._parts.values()):
            part.end(item_status)
        self._parts.clear()
        self._leave_message(item_status)
        if item_status == "incomplete" and self._items:
            self._items[-1].mark(item_status)
        output = [item.item for item in self._items]
        self._beside.rest({}, self._ended.safety if self._ended is not None else None)
        whole = self._header.response(
            status, output, usage=self._usage, incomplete=incomplete, error=error, beside=self._beside.told
        )
        self.emit(_FINAL[status], b'"response":' + _encode(whole))
