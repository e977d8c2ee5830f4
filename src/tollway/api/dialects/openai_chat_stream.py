"""A stream of chat completion chunks, rendered from events.

Source: https://platform.openai.com/docs/api-reference/chat-streaming. What every chunk of a stream has in common is
encoded once; a piece of text costs one encoding of that text.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tollway.api.dialects.openai_chat_reply import is_beside, knows_functions_only
from tollway.api.dialects.openai_chat_said import (
    Object,
    call_object,
    finish_of,
    image_object,
    is_told,
    new_id,
    signature_object,
    sources,
    usage_object,
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
    ImagePart,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.errors import StreamCutError
from tollway.providers.openai_compatible.thoughts import detail_of, is_bound
from tollway.routing.call import Call

_encode = msgspec.json.Encoder().encode
_TEXTS: dict[type[Part], bytes] = {
    TextPart: b'{"content":',
    RefusalPart: b'{"refusal":',
    ThinkingPart: b'{"reasoning_content":',
}
"""Part that grows by its text → beginning of a delta of it."""


class _Growing:
    """A part on its way. Attributes: number: of a tool call, among them; texts: of thoughts; start: of a text."""

    __slots__ = ("number", "part", "signature", "start", "text")

    def __init__(self, part: Part, number: int, start: int) -> None:
        self.part = part
        self.number = number
        self.start = start
        self.text: list[str] = []
        self.signature: list[str] = []


class _Answer:
    """One answer on its way.

    Attributes:
        calls, cited, images: how many there were so far.
        length: characters of its content so far.
        thoughts: those that are whole; details: how many of them were told as such.
        ended: whether it is whole.
    """

    __slots__ = ("calls", "cited", "details", "ended", "images", "length", "parts", "thoughts")

    def __init__(self) -> None:
        self.parts: dict[int, _Growing] = {}
        self.thoughts: list[ThinkingPart] = []
        self.calls = self.cited = self.details = self.images = self.length = 0
        self.ended = False


class ChunkRenderer:
    """Satisfies `tollway.chat.dialect.StreamRenderer`."""

    __slots__ = ("_answers", "_call", "_counted", "_error_event", "_head", "_last_text", "_legacy", "_out", "_tail")

    def __init__(self, call: Call, error_event: Callable[[StreamCutError], bytes]) -> None:
        self._call = call
        self._error_event = error_event
        self._legacy = knows_functions_only(call)
        self._answers: dict[int, _Answer] = {}
        self._counted: Counted | None = None
        self._out: list[bytes] = []
        self._last_text: tuple[int, bytes] | None = None
        self._head = b""
        # a caller who asks for usage finds the field in every chunk, as OpenAI sends it
        self._tail = b'],"usage":null}\n\n' if call.wants_usage else b"]}\n\n"

    def feed(self, events: Sequence[Event]) -> bytes:
        """See `StreamRenderer.feed`."""
        for event in events:
            if type(event) is Delta:
                self._grow(event)
            else:
                _RENDER[type(event)](self, event)
        self._last_text = None
        rendered = b"".join(self._out)
        self._out.clear()
        return rendered

    def end(self) -> bytes:
        """See `StreamRenderer.end`."""
        self._begin(Begun())
        for index, answer in self._answers.items():
            if not answer.ended:
                self._end(Ended(index, None))
        if self._call.wants_usage and self._counted is not None:
            usage = _encode(usage_object(self._counted.usage))
            self._out.append(self._head + b'],"usage":' + usage + b"}\n\n")
        rendered = b"".join(self._out)
        self._out.clear()
        return rendered + b"data: [DONE]\n\n"

    def _begin(self, begun: Begun) -> None:
        if self._head:
            return
        head: Object = {
            "id": begun.id or new_id(),
            "object": "chat.completion.chunk",
            "created": begun.created_s or int(time.time()),
            "model": begun.model or self._call.model,
        }
        if begun.service_tier:
            head["service_tier"] = begun.service_tier
        if begun.fingerprint:
            head["system_fingerprint"] = begun.fingerprint
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['

    def _chunk(self, choice: int, delta: bytes, logprobs: bytes = b"null", finish: bytes = b"null") -> None:
        self._out.append(
            b'%b{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}%b'
            % (self._head, choice, delta, logprobs, finish, self._tail)
        )

    def _say(self, choice: int, delta: Object) -> None:
        self._last_text = None
        self._chunk(choice, _encode(delta))

    def _answer(self, choice: int, part: Part | None = None) -> _Answer:
        answer = self._answers.get(choice)
        if answer is None:
            self._begin(Begun())
            answer = self._answers[choice] = _Answer()
            content = "" if isinstance(part, TextPart) else None
            self._say(choice, {"role": "assistant", "content": content, "refusal": None})
        return answer

    def _begin_part(self, event: PartBegun) -> None:
        part, choice = event.part, event.choice
        answer = self._answer(choice, part)
        growing = answer.parts[event.index] = _Growing(part, answer.calls, answer.length)
        if isinstance(part, ToolCallPart):
            answer.calls += 1
            if self._legacy:
                self._say(choice, {"function_call": call_object(part, legacy=True)})
            else:
                self._say(choice, {"tool_calls": [{"index": growing.number} | call_object(part)]})
            if is_beside(part):
                self._tell_part_beside(choice, part)
        elif isinstance(part, TextPart | RefusalPart | ThinkingPart):
            if part.text:
                self._grow(Delta(choice, event.index, part.text))
            if isinstance(part, ThinkingPart):
                growing.signature.append(part.signature)
            elif isinstance(part, TextPart):
                for citation in part.citations:
                    self._cite(Cited(choice, event.index, citation))
        else:
            self._begin_other(choice, part, answer)

    def _begin_other(self, choice: int, part: Part, answer: _Answer) -> None:
        if isinstance(part, AudioPart):
            audio: Object = {"id": part.id}
            if part.expires_at_s is not None:
                audio["expires_at"] = part.expires_at_s
            if part.media.value:
                audio["data"] = part.media.value
            if part.transcript:
                audio["transcript"] = part.transcript
            self._say(choice, {"audio": audio})
        elif isinstance(part, ImagePart):
            self._say(choice, {"images": [image_object(part, answer.images)]})
            answer.images += 1
        elif is_beside(part):
            self._tell_part_beside(choice, part)
        elif isinstance(part, OpaquePart):
            self._say(choice, {part.kind: part.raw})

    def _tell_part_beside(self, choice: int, part: Part) -> None:
        beside = Gathered()
        beside.part(part)
        self._tell_beside(choice, beside)

    def _grow(self, event: Delta) -> None:
        answer = self._answer(event.choice)
        growing = answer.parts[event.index]
        kind = type(growing.part)
        begins = _TEXTS.get(kind)
        if begins is not None:
            if kind is TextPart:
                answer.length += len(event.text)
            elif kind is ThinkingPart:
                growing.text.append(event.text)
            delta = begins + _encode(event.text) + b"}"
            self._last_text = (event.choice, delta)
            self._chunk(event.choice, delta)
        elif isinstance(growing.part, ToolCallPart):
            self._say(event.choice, self._argued(growing, event.text))
        elif kind is AudioPart:
            self._say(event.choice, {"audio": {"data": event.text}})

    def _argued(self, growing: _Growing, text: str) -> Object:
        if self._legacy:
            return {"function_call": {"arguments": text}}
        custom = isinstance(growing.part, ToolCallPart) and growing.part.custom
        call = {"custom": {"input": text}} if custom else {"function": {"arguments": text}}
        return {"tool_calls": [{"index": growing.number, **call}]}

    def _transcribe(self, event: TranscriptDelta) -> None:
        self._say(event.choice, {"audio": {"transcript": event.text}})

    def _sign(self, event: SignatureDelta) -> None:
        self._answers[event.choice].parts[event.index].signature.append(event.signature)

    def _cite(self, event: Cited) -> None:
        answer = self._answers[event.choice]
        start = answer.parts[event.index].start
        told = sources([event.citation], start, answer.length)
        for entry in (entry for entries in told.values() for entry in entries):
            entry["index"] = answer.cited  # by which the official SDK joins lists
            answer.cited += 1
        self._say(event.choice, told)
        if not is_told(event.citation):
            beside = Gathered()
            beside.citation(event.citation)
            self._tell_beside(event.choice, beside)

    def _note_beside(self, event: Beside) -> None:
        self._answer(event.choice)
        beside = Gathered()
        beside.note(event.name, event.raw)
        self._tell_beside(event.choice, beside)

    def _tell_beside(self, choice: int, beside: Gathered) -> None:
        """In the choice, and not in its delta: what of that a SDK joins, a caller sends back."""
        self._last_text = None
        member = b'null,"%b":%b' % (MEMBER.encode(), _encode(beside.told))
        self._chunk(choice, b"{}", finish=member)

    def _weigh(self, event: Logprobs) -> None:
        """Probabilities stand in the chunk of the text they are of, if that came with them."""
        delta = b"{}"
        self._answer(event.choice)
        if self._last_text is not None and self._last_text[0] == event.choice:
            delta = self._last_text[1]
            self._out.pop()
        self._last_text = None
        self._chunk(event.choice, delta, bytes(event.logprobs))

    def _end_part(self, event: PartEnded) -> None:
        """Thoughts are told once more when they are whole, if one must go back as it came: with what proves it."""
        answer = self._answers[event.choice]
        growing = answer.parts[event.index]
        part, signature = growing.part, "".join(growing.signature)
        if isinstance(part, ThinkingPart):
            whole = msgspec.structs.replace(part, text="".join(growing.text), signature=signature)
            answer.thoughts.append(whole)
            if answer.details or is_bound(whole):
                told = answer.thoughts[answer.details :]
                details = [detail_of(each, answer.details + index) for index, each in enumerate(told)]
                answer.details += len(told)
                self._say(event.choice, {"reasoning_details": details})
        elif isinstance(part, ToolCallPart) and signature and not self._legacy:
            signed = signature_object(part.source, part.signature + signature)
            self._say(event.choice, {"tool_calls": [{"index": growing.number} | signed]})

    def _end(self, event: Ended) -> None:
        answer = self._answer(event.choice)
        answer.ended = True
        self._last_text = None
        reason = finish_of(event.stop, calls=answer.calls > 0, legacy=self._legacy)
        finish = _encode(reason)
        if event.stop_sequence:
            finish += b',"stop_reason":' + _encode(event.stop_sequence)
        if event.safety is not None:
            finish += b',"content_filter_results":' + bytes(event.safety)
        self._chunk(event.choice, b"{}", finish=finish)

    def _count(self, event: Counted) -> None:
        self._counted = event

    def _break(self, event: Broke) -> None:
        self._out.append(self._error_event(StreamCutError(f"The provider reported an error: {event.message}")))


_RENDER: dict[type, Callable[[ChunkRenderer, Any], None]] = {
    Begun: ChunkRenderer._begin,  # noqa: SLF001 -- its own
    PartBegun: ChunkRenderer._begin_part,  # noqa: SLF001
    SignatureDelta: ChunkRenderer._sign,  # noqa: SLF001
    TranscriptDelta: ChunkRenderer._transcribe,  # noqa: SLF001
    Cited: ChunkRenderer._cite,  # noqa: SLF001
    Logprobs: ChunkRenderer._weigh,  # noqa: SLF001
    PartEnded: ChunkRenderer._end_part,  # noqa: SLF001
    Beside: ChunkRenderer._note_beside,  # noqa: SLF001
    Ended: ChunkRenderer._end,  # noqa: SLF001
    Counted: ChunkRenderer._count,  # noqa: SLF001
    Broke: ChunkRenderer._break,  # noqa: SLF001
}
"""Event → how it is rendered."""
