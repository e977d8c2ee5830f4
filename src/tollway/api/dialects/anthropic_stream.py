"""A stream of Anthropic's Messages API out of events. Source: https://platform.claude.com/docs/en/build-with-claude/streaming.

The format has one block after the other: what a provider interleaves waits until the block before it is whole.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollway.api.dialects.anthropic_reply import (
    PLACEHOLDERS,
    block_of,
    message_id,
    note_beside,
    sealed_call,
)
from tollway.chat.beside import MEMBER, Gathered
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
from tollway.chat.message import (
    AudioPart,
    Citation,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.ledger.usage import Usage
from tollway.providers.anthropic.blocks import call_block
from tollway.providers.anthropic.citations import citation_object
from tollway.providers.anthropic.error import Envelope, ErrorBody
from tollway.providers.anthropic.signatures import seal
from tollway.providers.anthropic.stops import stop_reason
from tollway.providers.usage.anthropic import usage_object
from tollway.routing.call import Call

_encode = msgspec.json.Encoder().encode
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_NO_USAGE = Usage(requests=0)


class AnthropicRenderer:
    """Renders one stream. Satisfies `tollway.chat.dialect.StreamRenderer`."""

    __slots__ = (
        "_before_text",
        "_begun",
        "_beside",
        "_called",
        "_counted",
        "_ended",
        "_next",
        "_open",
        "_part",
        "_signature",
        "_sound",
        "_started",
        "_waiting",
    )

    def __init__(self, call: Call) -> None:
        self._begun = Begun(model=call.model)
        self._started = False
        self._counted: Counted | None = None
        self._ended: Ended | None = None
        self._called = False
        self._next = 0
        self._open: int | None = None
        self._part: Part = TextPart(text="")
        self._before_text = b""
        self._signature = ""
        self._sound: list[str] = []
        self._beside = Gathered()
        self._waiting: dict[int, list[Event]] = {}

    def feed(self, events: Sequence[Event]) -> bytes:
        """See `StreamRenderer.feed`."""
        out: list[bytes] = []
        for event in events:
            self._take(event, out)
        if not self._started and not out and events:
            self._start(out)
        return b"".join(out)

    def end(self) -> bytes:
        """See `StreamRenderer.end`."""
        out: list[bytes] = []
        self._start(out)
        while self._open is not None or self._waiting:
            self._close(out)
        ended = self._ended
        stop = stop_reason(ended.stop if ended is not None else None, calls=self._called)
        counted = self._counted
        delta = {"stop_reason": stop, "stop_sequence": (ended.stop_sequence or None) if ended is not None else None}
        usage = usage_object(counted.usage if counted is not None else _NO_USAGE)
        self._beside.rest({}, ended.safety if ended is not None else None)
        told = {MEMBER: self._beside.told} if self._beside.told else {}
        out.append(_event("message_delta", {"delta": delta, "usage": usage} | told))
        out.append(_STOP)
        return b"".join(out)

    def _take(self, event: Event, out: list[bytes]) -> None:
        kind = type(event)
        if kind is Begun:
            self._begun = event if event.model else msgspec.structs.replace(event, model=self._begun.model)  # type: ignore[union-attr, assignment]
        elif kind is Counted:
            self._counted = event  # type: ignore[assignment]
        elif kind is Broke:
            self._start(out)
            out.append(_broken(event))  # type: ignore[arg-type]
        elif kind is not Logprobs and event.choice == 0:  # type: ignore[union-attr]
            if kind is Ended:
                self._ended = event  # type: ignore[assignment]
            elif kind is Beside:
                self._beside.note(event.name, event.raw)  # type: ignore[union-attr]
            else:
                self._place(event, out)  # type: ignore[arg-type]

    def _place(self, event: PartBegun | Delta | PartEnded, out: list[bytes]) -> None:
        """Tell what belongs to the open block; keep what belongs to one that comes later."""
        if self._open == event.index:
            self._tell(event, out)
        elif event.index in self._waiting:
            self._waiting[event.index].append(event)
        elif isinstance(event, PartBegun):
            if self._open is None:
                self._tell(event, out)
            else:
                self._waiting[event.index] = [event]

    def _tell(self, event: Event, out: list[bytes]) -> None:
        kind = type(event)
        if kind is Delta:
            if self._before_text:
                out.append(self._before_text + _encode(event.text) + b"}}\n\n")  # type: ignore[union-attr]
            elif type(self._part) is AudioPart:
                self._sound.append(event.text)  # type: ignore[union-attr]
        elif kind is PartBegun:
            self._start(out)
            self._begin(event, out)  # type: ignore[arg-type]
        elif kind is PartEnded:
            self._close(out)
        elif kind is SignatureDelta:
            self._signature += event.signature  # type: ignore[union-attr]
        elif kind is Cited:
            self._cite(event.citation, out)  # type: ignore[union-attr]
        elif kind is TranscriptDelta:
            out.append(self._delta({"type": "text_delta", "text": event.text}))  # type: ignore[union-attr]

    def _start(self, out: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        begun = self._begun
        usage = self._counted.usage if self._counted is not None else _NO_USAGE
        message: dict[str, Any] = {
            "id": message_id(begun.id),
            "type": "message",
            "role": "assistant",
            "model": begun.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(usage, service_tier=begun.service_tier),
        }
        out.append(_event("message_start", {"message": message}))

    def _begin(self, event: PartBegun, out: list[bytes]) -> None:
        part = event.part
        self._open, self._part, self._before_text = event.index, part, b""
        self._signature = part.signature if isinstance(part, ThinkingPart | ToolCallPart) else ""
        if isinstance(part, ThinkingPart) and part.text:
            self._signature = part.signature or part.redacted
        if isinstance(part, ToolCallPart):
            self._called = True
            self._seal(part, out)
        block, delta, text = _opening(part)
        if block is None:
            return
        out.append(_event("content_block_start", {"index": self._next, "content_block": block}))
        if delta:
            name = "partial_json" if delta == "input_json_delta" else delta.removesuffix("_delta")
            self._before_text = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
                b'"delta":{"type":"%b","%b":' % (self._next, delta.encode(), name.encode())
            )
            if text:
                out.append(self._before_text + _encode(text) + b"}}\n\n")
        for citation in part.citations if isinstance(part, TextPart) else ():
            self._cite(citation, out)
        if isinstance(part, AudioPart):
            self._before_text = b""  # what comes is the sound

    def _cite(self, citation: Citation, out: list[bytes]) -> None:
        made = citation_object(citation)
        if made is not None:
            out.append(self._delta({"type": "citations_delta", "citation": made}))
        note_beside(self._beside, self._part, (citation,))

    def _seal(self, part: ToolCallPart, out: list[bytes]) -> None:
        """The signature of a call, as far as it is known, in a block of its own."""
        block = sealed_call(msgspec.structs.replace(part, signature=self._signature))
        if block is not None:
            self._signature = ""
            self._whole(block, out)

    def _whole(self, block: Any, out: list[bytes]) -> None:
        out.append(_event("content_block_start", {"index": self._next, "content_block": block}))
        out.append(self._ending())

    def _ending(self) -> bytes:
        ended = _event("content_block_stop", {"index": self._next})
        self._next += 1
        return ended

    def _close(self, out: list[bytes]) -> None:
        """End the open block, and tell those that waited, up to one that is not whole."""
        if self._open is not None:
            part = self._part
            if self._sound:
                media = msgspec.structs.replace(part.media, value=part.media.value + "".join(self._sound))  # type: ignore[union-attr]
                part, self._sound = msgspec.structs.replace(part, media=media), []
            note_beside(self._beside, part, ())
            if isinstance(part, ThinkingPart) and self._signature:
                signature = seal(part.source, part.id, self._signature)
                out.append(self._delta({"type": "signature_delta", "signature": signature}))
            if _opening(part)[0] is not None:
                out.append(self._ending())
            self._open = None
            if isinstance(part, ToolCallPart):
                self._seal(part, out)
        if self._waiting:
            waited = self._waiting.pop(next(iter(self._waiting)))
            for event in waited:
                self._tell(event, out)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", {"index": self._next, "delta": delta})


def _opening(part: Part) -> tuple[Any, str, str]:
    """What begins the block of a part, the kind of its deltas, and its text so far; no block if it has none."""
    if isinstance(part, TextPart | RefusalPart):
        return {"type": "text", "text": ""}, "text_delta", part.text
    if isinstance(part, ThinkingPart) and (part.text or not part.redacted):
        return {"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", part.text
    if isinstance(part, ToolCallPart):
        return call_block(part, part.id, {}), "input_json_delta", part.arguments
    if isinstance(part, PLACEHOLDERS):
        made = block_of(part)
        return {"type": "text", "text": ""}, "text_delta", made["text"] if isinstance(made, dict) else ""
    return (block_of(part) if isinstance(part, ThinkingPart | OpaquePart) else None), "", ""


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name} | fields))


def _broken(event: Broke) -> bytes:
    kind = event.kind if event.kind.endswith("_error") else "api_error"
    return b"event: error\ndata: %b\n\n" % _encode(Envelope(ErrorBody(kind, event.message, "upstream_error")))
