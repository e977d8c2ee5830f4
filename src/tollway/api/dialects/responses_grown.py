"""The items of a streamed response while they grow: each tells its own events."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.api.dialects.responses_object import (
    annotation_of,
    call_id_prefix,
    call_of,
    content_of,
    message_of,
    new_id,
    note_beside,
    other_item,
    reasoning_of,
)
from tollway.chat.beside import Gathered
from tollway.chat.message import AudioPart, Citation, Part, RefusalPart, TextPart, ThinkingPart, ToolCallPart

_encode = msgspec.json.Encoder().encode
Emit = Callable[[str, bytes], None]


class Grown:
    """One item, or a part of one. Attributes: item: as it is now; ``None`` if it cannot be told."""

    item: Any = None

    def grow(self, text: str) -> None:
        """More of it."""

    def sign(self, signature: str) -> None:
        """More of its signature."""

    def cite(self, citation: Citation) -> None:
        """A source of it."""

    def transcribe(self, text: str) -> None:
        """More of its transcript."""

    def end(self, status: str) -> None:
        """It is whole, or as whole as it gets."""

    def mark(self, status: str) -> None:
        """Its status after all, in the whole response."""
        if isinstance(self.item, dict) and "status" in self.item:
            self.item["status"] = status


class GrownMessage(Grown):
    """A message with its content."""

    def __init__(self, emit: Emit, place: int) -> None:
        self._emit = emit
        self._place = place
        self.id = new_id("msg")
        self._contents: list[GrownContent] = []
        self._open = 0
        self._left = False
        self._done = False
        self.item = message_of(self.id, [], "in_progress")
        emit("response.output_item.added", b'"item":%b,"output_index":%d' % (_encode(self.item), place))

    def content(self, part: TextPart | RefusalPart) -> "GrownContent":
        """Begin a part of it."""
        self._open += 1
        made = GrownContent(self, self._emit, self._place, len(self._contents), part)
        self._contents.append(made)
        return made

    def note(self, logprobs: list[Raw]) -> None:
        """Probabilities of the tokens that come next, or just came."""
        if self._contents:
            self._contents[-1].note(logprobs)

    def content_ended(self, status: str) -> None:
        """A part of it is whole."""
        self._open -= 1
        self._finish(status)

    def leave(self, status: str) -> None:
        """No part will be added."""
        self._left = True
        self._finish(status)

    def _finish(self, status: str) -> None:
        if self._done or self._open or not self._left:
            return
        self._done = True
        self.item = message_of(self.id, [content.whole() for content in self._contents], status)
        self._emit("response.output_item.done", b'"item":%b,"output_index":%d' % (_encode(self.item), self._place))


class GrownContent(Grown):
    """A text or a refusal within a message."""

    def __init__(self, message: GrownMessage, emit: Emit, place: int, index: int, part: TextPart | RefusalPart) -> None:
        self._message = message
        self._emit = emit
        self._refusal = isinstance(part, RefusalPart)
        self._texts: list[str] = []
        self._citations: list[Citation] = []
        self._logprobs: list[Raw] = []
        self._told = 0
        self._kind = "response.refusal" if self._refusal else "response.output_text"
        self._head = b'"content_index":%d,' % index
        self._where = b',"item_id":"%b","output_index":%d' % (message.id.encode(), place)
        empty = content_of(RefusalPart(text="") if self._refusal else TextPart(text=""))
        self._part_event("added", empty)
        if part.text:
            self.grow(part.text)
        for citation in part.citations if isinstance(part, TextPart) else ():
            self.cite(citation)

    def grow(self, text: str) -> None:
        """See `Grown.grow`."""
        self._texts.append(text)
        self._emit(
            self._kind + ".delta", b'%b"delta":%b%b%b' % (self._head, _encode(text), self._where, self._new_logprobs())
        )

    def note(self, logprobs: list[Raw]) -> None:
        """Probabilities of tokens of it: told with the next piece, and all of them at the end."""
        self._logprobs += logprobs

    def cite(self, citation: Citation) -> None:
        """See `Grown.cite`."""
        members = b'"annotation":%b,"annotation_index":%d,' % (
            _encode(annotation_of(citation)),
            len(self._citations),
        )
        self._citations.append(citation)
        self._emit("response.output_text.annotation.added", members + self._head + self._where[1:])

    def end(self, status: str) -> None:
        """See `Grown.end`."""
        whole = self.whole()
        text = _encode("".join(self._texts))
        if self._refusal:
            self._emit("response.refusal.done", b'%b"refusal":%b%b' % (self._head, text, self._where))
        else:
            self._emit(
                "response.output_text.done",
                b'%b"logprobs":%b%b,"text":%b' % (self._head, _encode(self._logprobs), self._where, text),
            )
        self._part_event("done", whole)
        self._message.content_ended(status)

    def whole(self) -> dict[str, Any]:
        """The part as far as it came."""
        text = "".join(self._texts)
        if self._refusal:
            return content_of(RefusalPart(text=text))
        return content_of(TextPart(text=text, citations=tuple(self._citations)), self._logprobs)

    def _part_event(self, what: str, part: dict[str, Any]) -> None:
        self._emit(f"response.content_part.{what}", b'%b"part":%b%b' % (self._head, _encode(part), self._where))

    def _new_logprobs(self) -> bytes:
        if self._refusal:
            return b""
        if self._told == len(self._logprobs):
            return b',"logprobs":[]'
        fresh, self._told = self._logprobs[self._told :], len(self._logprobs)
        return b',"logprobs":' + _encode(fresh)


class GrownThoughts(Grown):
    """Thoughts: one part of a summary, that begins with the first word."""

    def __init__(self, emit: Emit, place: int, part: ThinkingPart) -> None:
        self._emit = emit
        self._place = place
        self._part = replace(part, text="")
        self._texts: list[str] = []
        self._signatures: list[str] = []
        self.id = part.id if part.id.startswith("rs_") else new_id("rs")
        self._where = b'"item_id":"%b","output_index":%d' % (self.id.encode(errors="replace"), place)
        self.item = reasoning_of(self.id, replace(self._part, signature="", redacted=""))
        emit("response.output_item.added", b'"item":%b,"output_index":%d' % (_encode(self.item), place))
        if part.text:
            self.grow(part.text)

    def grow(self, text: str) -> None:
        """See `Grown.grow`."""
        if not self._texts:
            self._emit(
                "response.reasoning_summary_part.added",
                self._where + b',"part":{"type":"summary_text","text":""},"summary_index":0',
            )
        self._texts.append(text)
        self._emit(
            "response.reasoning_summary_text.delta",
            b'"delta":%b,%b,"summary_index":0' % (_encode(text), self._where),
        )

    def sign(self, signature: str) -> None:
        """See `Grown.sign`."""
        self._signatures.append(signature)

    def end(self, status: str) -> None:  # noqa: ARG002 -- thoughts have none
        """See `Grown.end`."""
        text = "".join(self._texts)
        if self._texts:
            told = _encode(text)
            self._emit("response.reasoning_summary_text.done", b'%b,"summary_index":0,"text":%b' % (self._where, told))
            self._emit(
                "response.reasoning_summary_part.done",
                b'%b,"part":{"type":"summary_text","text":%b},"summary_index":0' % (self._where, told),
            )
        signature = self._part.signature + "".join(self._signatures)
        self.item = reasoning_of(self.id, replace(self._part, text=text, signature=signature))
        self._emit("response.output_item.done", b'"item":%b,"output_index":%d' % (_encode(self.item), self._place))


class GrownCall(Grown):
    """A call of a tool."""

    def __init__(self, emit: Emit, place: int, part: ToolCallPart, spaces: dict[str, tuple[str, str]]) -> None:
        self._emit = emit
        self._place = place
        self._part = replace(part, arguments="")
        self._spaces = spaces
        self._texts: list[str] = []
        self.id = new_id(call_id_prefix(part))
        self._where = b'"item_id":"%b","output_index":%d' % (self.id.encode(), place)
        self._kind = "response.custom_tool_call_input" if part.custom else "response.function_call_arguments"
        self.item = call_of(self.id, self._part, "in_progress", spaces)
        emit("response.output_item.added", b'"item":%b,"output_index":%d' % (_encode(self.item), place))
        if part.arguments:
            self.grow(part.arguments)

    def grow(self, text: str) -> None:
        """See `Grown.grow`."""
        self._texts.append(text)
        self._emit(self._kind + ".delta", b'"delta":%b,%b' % (_encode(text), self._where))

    def end(self, status: str) -> None:
        """See `Grown.end`."""
        text = "".join(self._texts)
        name = b"input" if self._part.custom else b"arguments"
        self._emit(self._kind + ".done", b'"%b":%b,%b' % (name, _encode(text), self._where))
        self.item = call_of(self.id, replace(self._part, arguments=text), status, self._spaces)
        self._emit("response.output_item.done", b'"item":%b,"output_index":%d' % (_encode(self.item), self._place))


class GrownBeside(Grown):
    """What there is no item for: told with the whole response."""

    def __init__(self, beside: Gathered, part: Part) -> None:
        self._beside = beside
        self._part = part
        self._texts: list[str] = []
        self._transcript: list[str] = []

    def grow(self, text: str) -> None:
        """See `Grown.grow`."""
        self._texts.append(text)

    def transcribe(self, text: str) -> None:
        """See `Grown.transcribe`."""
        self._transcript.append(text)

    def end(self, status: str) -> None:  # noqa: ARG002 -- it has none
        """See `Grown.end`."""
        part = self._part
        if isinstance(part, AudioPart):
            media = replace(part.media, value=part.media.value + "".join(self._texts))
            part = replace(part, media=media, transcript=part.transcript + "".join(self._transcript))
        note_beside(self._beside, part, ())


class GrownOther(Grown):
    """What comes in one piece."""

    def __init__(self, emit: Emit, place: int, part: Part) -> None:
        self.item = other_item(part)
        if self.item is not None:
            told = b'"item":%b,"output_index":%d' % (_encode(self.item), place)
            emit("response.output_item.added", told)
            emit("response.output_item.done", told)
