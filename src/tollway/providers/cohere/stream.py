"""One stream: server-sent events with a type each; ``message-end`` is the last that counts.

A text stays open until something else begins: its citations may come behind its end.
Source: https://docs.cohere.com/docs/streaming.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
from msgspec import Raw

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
)
from tollway.chat.message import Part, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import Stop
from tollway.json_object import MALFORMED
from tollway.providers.cohere.reply import PLAN, STOPS, read_citations, read_logprobs
from tollway.providers.cohere.schema import (
    ABSENT,
    Block,
    DeltaBody,
    DeltaMessage,
    StreamEvent,
    ToolCall,
    WireCitation,
    decode_event,
)
from tollway.providers.sse import EventStream
from tollway.providers.usage.cohere import parse_usage
from tollway.providers.wire_names import COHERE

_FAILED = frozenset({"ERROR", "TIMEOUT"})
_NOTHING = DeltaMessage()
_encode = msgspec.json.Encoder().encode


class CohereStream(EventStream):
    """Reads one stream. Satisfies `tollway.providers.wire.WireStream`."""

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        super().__init__()
        self._answer = _Answer()

    @property
    def done(self) -> bool:
        """Whether the last event came."""
        return self._answer.done

    def _read(self, data: bytes, events: list[Event]) -> None:
        if not self.done:
            with suppress(*MALFORMED):
                events += self._answer.take(decode_event(data))


class _Answer:
    """The answer as it comes. Attributes: done: whether it is whole."""

    __slots__ = ("_index", "_is_plan", "_open", "done")

    def __init__(self) -> None:
        self._index = 0
        self._open: Part | None = None
        self._is_plan = False
        self.done = False

    def take(self, event: StreamEvent) -> Iterator[Event]:
        """What an event says."""
        handle = _HANDLERS.get(event.type or "")
        if handle is not None:
            yield from handle(self, event)
        elif event.message is not None:
            yield Broke(event.message, event.type or "")

    def begun(self, event: StreamEvent) -> Iterator[Event]:
        """The answer begins."""
        yield Begun(event.id or "")

    def content_begun(self, event: StreamEvent) -> Iterator[Event]:
        """A text or a thought begins."""
        block = _message(event).content
        if isinstance(block, Block):
            yield from self._begin(_part(block))

    def content_grew(self, event: StreamEvent) -> Iterator[Event]:
        """More of it, and the probabilities of its tokens."""
        block = _message(event).content
        if not isinstance(block, Block):
            return
        text = block.text if block.thinking is None else block.thinking
        if isinstance(self._open, TextPart | ThinkingPart) and not self._is_plan:
            if text:
                yield Delta(0, self._index, text)
        elif text:  # its beginning was left out
            yield from self._begin(_part(block))
        logprobs = read_logprobs([event.logprobs]) if event.logprobs is not None else None
        if logprobs is not None:
            yield Logprobs(0, logprobs)

    def plan_grew(self, event: StreamEvent) -> Iterator[Event]:
        """More of the plan for the calls; it has no beginning of its own."""
        text = _message(event).tool_plan
        if not text:
            return
        if self._is_plan:
            yield Delta(0, self._index, text)
        else:
            yield from self._begin(TextPart(text=text))
            self._is_plan = True

    def call_begun(self, event: StreamEvent) -> Iterator[Event]:
        """A call begins."""
        call = _message(event).tool_calls
        if isinstance(call, ToolCall) and call.function is not None:
            function = call.function
            part = ToolCallPart(id=call.id or "", name=function.name or "", arguments=function.arguments or "")
            yield from self._begin(part)

    def call_grew(self, event: StreamEvent) -> Iterator[Event]:
        """More of its arguments."""
        call = _message(event).tool_calls
        more = call.function.arguments if isinstance(call, ToolCall) and call.function is not None else None
        if more and isinstance(self._open, ToolCallPart):
            yield Delta(0, self._index, more)

    def call_ended(self, event: StreamEvent) -> Iterator[Event]:  # noqa: ARG002 -- it says no more than its type
        """It is whole."""
        if isinstance(self._open, ToolCallPart):
            yield from self._close()

    def cited(self, event: StreamEvent) -> Iterator[Event]:
        """A source of the text that is open."""
        found = _message(event).citations
        if not isinstance(found, WireCitation):
            return
        if isinstance(self._open, TextPart) and self._is_plan == (found.type == PLAN):
            for citation in read_citations(found):
                yield Cited(0, self._index, citation)
        else:  # of thoughts
            yield Beside(0, "citations", Raw(_encode(found)))

    def ended(self, event: StreamEvent) -> Iterator[Event]:
        """The answer is whole, or failed."""
        delta = event.delta or DeltaBody()
        reason = delta.finish_reason
        usage = parse_usage(delta.usage) if delta.usage != ABSENT else None
        if usage is not None:
            yield Counted(usage, whole=True)
        if reason in _FAILED or delta.error is not None:
            yield Broke(delta.error or "The provider stopped with an error.", reason or "")
            return
        yield from self._close()
        self.done = True
        yield Ended(0, STOPS.get(reason, Stop.OTHER) if reason else None)

    def _begin(self, part: Part) -> Iterator[Event]:
        yield from self._close()
        self._open = part
        yield PartBegun(0, self._index, part)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield PartEnded(0, self._index)
            self._open = None
            self._is_plan = False
            self._index += 1


def _part(block: Block) -> Part:
    if block.type == "thinking" or block.thinking is not None:
        return ThinkingPart(text=block.thinking or "", source=COHERE)
    return TextPart(text=block.text or "")


def _message(event: StreamEvent) -> DeltaMessage:
    return event.delta.message or _NOTHING if event.delta is not None else _NOTHING


_HANDLERS: dict[str, Callable[[_Answer, StreamEvent], Iterator[Event]]] = {
    "message-start": _Answer.begun,
    "content-start": _Answer.content_begun,
    "content-delta": _Answer.content_grew,
    "tool-plan-delta": _Answer.plan_grew,
    "tool-call-start": _Answer.call_begun,
    "tool-call-delta": _Answer.call_grew,
    "tool-call-end": _Answer.call_ended,
    "citation-start": _Answer.cited,
    "message-end": _Answer.ended,
}
"""Type of event → what is done with it; the others say nothing more."""
