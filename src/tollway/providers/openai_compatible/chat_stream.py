"""A stream of a server of the OpenAI format, as events."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.beside import joined, read_beside
from tollway.chat.data_url import media_of
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
    Media,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.ids import uuid7
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.openai_compatible.chat_parts import (
    NULL,
    Audio,
    Body,
    Choice,
    ContentPart,
    Function,
    Said,
    ToolCall,
    arguments_of,
    beside_of,
    citation_of,
    content_of,
    image_address,
    signature_of,
    sources_of,
    stop_of,
    thinking_text,
    told,
    usage_of,
)
from tollway.providers.openai_compatible.error import words_of
from tollway.providers.openai_compatible.thoughts import Detail, part_of, source_of
from tollway.providers.registry import ProviderSpec
from tollway.providers.sse import END_MARK, EventStream
from tollway.providers.usage.openai import parse_usage
from tollway.providers.wire_names import GEMINI, OPENAI

_decode = tolerant(msgspec.json.Decoder(Body).decode)
_THINKING_BEGINS = ThinkingPart(source=OPENAI)
_TEXT_BEGINS = TextPart(text="")
_REFUSAL_BEGINS = RefusalPart(text="")


class ChatStream(EventStream):
    """Reads one stream. Satisfies `tollway.providers.wire.WireStream`."""

    __slots__ = ("_begun", "_beside", "_broke", "_choices", "_part_count", "_spec", "done")

    done: bool

    def __init__(self, spec: ProviderSpec) -> None:
        super().__init__()
        self._spec = spec
        self._choices: dict[int, _Answer] = {}
        self._beside: dict[str, Raw] = {}
        self._begun = self._broke = False
        self._part_count: Counted | None = None
        self.done = False

    def finish(self) -> Sequence[Event]:
        """The connection ended: some servers leave the end mark out, or the last empty line."""
        events = list(super().finish())
        self._tell_beside(events)
        if not self.done and self._choices:
            self.done = not self._unread and all(answer.ended for answer in self._choices.values())
        return events

    def _read(self, data: bytes, events: list[Event]) -> None:
        if self.done or self._broke:
            return
        if data.strip() == END_MARK:
            self.done = True
            self._close(events)
            return
        try:
            body = _decode(data)
        except MALFORMED:
            return
        error = Raw(data) if body.object == "error" else body.error  # older vLLM has no envelope
        if error is not NULL and (words := words_of(error)) is not None:
            self._broke = True
            events.append(Broke(*words))
            return
        if beside := beside_of(body):
            self._beside |= beside  # some repeat it in every chunk
        if not self._begun:
            if not (body.model or body.choices or body.usage is not NULL):
                return  # Azure's verdict on the prompt comes before the answer begins
            self._begun = True
            events.append(begun_of(body))
        self._take(body, events)

    def _take(self, body: Body, events: list[Event]) -> None:
        for choice in body.choices or ():
            answer = self._choices.get(choice.index)
            if answer is None:
                answer = self._choices[choice.index] = _Answer(choice.index)
            answer.take(choice, events, self._beside)
        usage = usage_of(body)
        if usage is not None:
            self._count(body, usage, events)

    def _count(self, body: Body, usage: Raw, events: list[Event]) -> None:
        """Some servers count in every chunk: only the last count is of the whole answer."""
        parsed = parse_usage(usage, convention=self._spec.usage)
        if parsed is not None:
            whole = bool(self._choices) and all(answer.ended for answer in self._choices.values())
            counted = Counted(parsed.usage, whole or not body.choices, parsed.provider_cost, body.service_tier or "")
            self._part_count = None if counted.whole else counted
            events.append(counted)

    def _close(self, events: list[Event]) -> None:
        """The end mark came: what some server left open is whole."""
        for answer in self._choices.values():
            if not answer.ended:
                answer.end(Choice(), events)
        self._tell_beside(events)
        if self._part_count is not None:  # of the whole answer after all
            events.append(replace(self._part_count, whole=True))

    def _tell_beside(self, events: list[Event]) -> None:
        """It is of the whole reply: told with the first answer."""
        if self._begun and not self._broke:
            events += told_beside(self._beside)
            self._beside = {}


def told_beside(beside: dict[str, Raw]) -> list[Event]:
    """What a reply tells beside its answers."""
    return [Beside(0, name, raw) for name, raw in beside.items()]


def begun_of(body: Body) -> Begun:
    """The beginning, as the first chunk tells it."""
    created_s = int(body.created) if body.created is not None and 0 < body.created < 1 << 40 else 0
    return Begun(body.id or "", body.model or "", created_s, body.service_tier or "", body.system_fingerprint or "")


def answer_events(body: Body) -> list[Event]:
    """The answers of a whole reply, as if each had come in one chunk."""
    events: list[Event] = []
    beside = beside_of(body)
    for place, choice in enumerate(body.choices or ()):
        answer = _Answer(choice.index or place)
        answer.take(choice, events, beside)
        if not answer.ended:
            answer.end(choice, events)
    return events + told_beside(beside)


class _Call:
    """A tool call on its way. Attributes: name: empty until it is known, which the part waits for."""

    __slots__ = ("arguments", "custom", "id", "name", "part", "signature")

    def __init__(self) -> None:
        self.id = self.name = self.arguments = self.signature = ""
        self.custom = False
        self.part = -1


class _Answer:
    """One answer on its way. Attributes: ended: whether it is whole."""

    __slots__ = ("_calls", "_choice", "_detail", "_kind", "_open", "_parts", "_sound", "ended")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._parts = 0
        self._open = -1
        self._kind: type[Part] | None = None
        self._detail = ""
        self._sound = -1
        self._calls: dict[int, _Call] = {}
        self.ended = False

    def take(self, choice: Choice, events: list[Event], beside: dict[str, Raw]) -> None:
        """Take in a chunk's share of this answer. Args: beside: told of all answers, for their sources."""
        if self.ended:
            return
        said = choice.delta or choice.message
        if said is not None:
            self._said(said, events)
        if (logprobs := told(choice.logprobs)) is not None:
            events.append(Logprobs(self._choice, logprobs))
        if choice.provider_specific_fields is not NULL:
            found = read_beside(choice.provider_specific_fields)
            events += [Beside(self._choice, name, joined(values)) for name, values in found.items()]
        if choice.finish_reason:
            if beside and self._kind is TextPart:
                events += [Cited(self._choice, self._open, source) for source in sources_of(beside)]
            self.end(choice, events)

    def end(self, choice: Choice, events: list[Event]) -> None:
        """The answer is whole."""
        self._shut(events)
        for call in self._calls.values():
            self._name(call, events)
            events.append(PartEnded(self._choice, call.part))
        if self._sound >= 0:
            events.append(PartEnded(self._choice, self._sound))
        self.ended = True
        events.append(Ended(self._choice, *stop_of(choice), told(choice.content_filter_results)))

    def _said(self, said: Said, events: list[Event]) -> None:
        if said.reasoning_details:
            for detail in said.reasoning_details:
                self._thought(detail, events)
        elif thought := said.reasoning_content or said.reasoning:
            self._grow(_THINKING_BEGINS, thought, events)
        content = said.content
        if content:
            if isinstance(content, str):
                self._grow(_TEXT_BEGINS, content, events)
            else:
                for raw in content:
                    if not self._listed(content_of(raw), events):
                        events.append(Beside(self._choice, "content", raw))
        if said.refusal:
            self._grow(_REFUSAL_BEGINS, said.refusal, events)
        for call in said.tool_calls or ():
            self._call(call, events)
        self._said_beside(said, events)

    def _said_beside(self, said: Said, events: list[Event]) -> None:
        """What few messages have."""
        if said.annotations:
            self._cite(said.annotations, events)
        if said.function_call is not None:
            self._call(ToolCall(index=0, function=said.function_call), events)
        if said.audio is not None:
            self._hear(said.audio, events)
        if said.images:
            for image in said.images:
                self._listed(image, events)
        if (raw := told(said.executed_tools)) is not None:
            self._whole(OpaquePart(source=OPENAI, kind="executed_tools", raw=raw), events)

    def _grow(self, begins: Part, text: str, events: list[Event]) -> None:
        """More of a text of one kind; a text of another kind is whole then."""
        if self._kind is not type(begins):
            self._begin(begins, events)
        events.append(Delta(self._choice, self._open, text))

    def _begin(self, part: Part, events: list[Event]) -> None:
        self._shut(events)
        self._kind, self._open = type(part), self._next()
        events.append(PartBegun(self._choice, self._open, part))

    def _shut(self, events: list[Event]) -> None:
        if self._kind is not None:
            events.append(PartEnded(self._choice, self._open))
            self._kind, self._detail = None, ""

    def _whole(self, part: Part, events: list[Event]) -> None:
        """A part that comes in one piece."""
        self._shut(events)
        index = self._next()
        events += (PartBegun(self._choice, index, part), PartEnded(self._choice, index))

    def _next(self) -> int:
        self._parts += 1
        return self._parts - 1

    def _thought(self, detail: Detail, events: list[Event]) -> None:
        if detail.data:
            self._whole(part_of(detail), events)
            return
        kind = f"{detail.type} {detail.index}"
        if self._kind is not ThinkingPart or self._detail != kind:
            self._begin(ThinkingPart(source=source_of(detail), id=detail.id or ""), events)
            self._detail = kind
        if text := detail.text or detail.summary:
            events.append(Delta(self._choice, self._open, text))
        if detail.signature:
            events.append(SignatureDelta(self._choice, self._open, detail.signature))

    def _listed(self, part: ContentPart, events: list[Event]) -> bool:
        """A part of a list of content. Returns: whether it is of a kind that is known."""
        if part.thinking is not None:
            self._grow(_THINKING_BEGINS, thinking_text(part), events)
        elif part.image_url is not None:
            self._whole(ImagePart(media=media_of(image_address(part))), events)
        elif part.text:
            self._grow(_TEXT_BEGINS, part.text, events)
        elif part.refusal:
            self._grow(_REFUSAL_BEGINS, part.refusal, events)
        else:
            return part.type in {"text", "refusal"}
        return True

    def _cite(self, annotations: list[Raw], events: list[Event]) -> None:
        for raw in annotations:
            citation = citation_of(raw)
            if citation is None:
                events.append(Beside(self._choice, "annotations", raw))
                continue
            if self._kind is not TextPart:
                self._begin(_TEXT_BEGINS, events)
            events.append(Cited(self._choice, self._open, citation))

    def _hear(self, audio: Audio, events: list[Event]) -> None:
        if self._sound < 0:
            if not (audio.id or audio.data or audio.transcript):
                return
            self._shut(events)
            self._sound = self._next()
            part = AudioPart(media=Media("base64", ""), id=audio.id or "", expires_at_s=audio.expires_at)
            events.append(PartBegun(self._choice, self._sound, part))
        if audio.data:
            events.append(Delta(self._choice, self._sound, audio.data))
        if audio.transcript:
            events.append(TranscriptDelta(self._choice, self._sound, audio.transcript))

    def _call(self, said: ToolCall, events: list[Event]) -> None:
        function = said.function or said.custom or Function()
        call = self._calling(said, function)
        call.id = call.id or said.id or ""
        call.custom = call.custom or said.type == "custom"
        if not call.name and function.name:
            call.name = function.name
        call.signature = call.signature or signature_of(said)
        grown = arguments_of(function)
        if call.part < 0:
            call.arguments += grown
            if call.name:
                self._name(call, events)
        elif grown:
            events.append(Delta(self._choice, call.part, grown))

    def _calling(self, said: ToolCall, function: Function) -> _Call:
        """The call that is meant: by its index. Some servers give none, or one to all: then a new id begins one."""
        index = said.index if said.index is not None else (len(self._calls) if said.id else len(self._calls) - 1)
        call = self._calls.get(index)
        if call is not None and said.id and call.id and said.id != call.id and function.name:
            self._calls[len(self._calls) + (1 << 16)] = call  # ends with the others
            call = None
        if call is None:
            call = self._calls[index] = _Call()
        return call

    def _name(self, call: _Call, events: list[Event]) -> None:
        """Begin a call's part, now that its name is known; or never will be."""
        if call.part >= 0:
            return
        self._shut(events)
        call.part = self._next()
        part = ToolCallPart(
            id=call.id or f"call_{uuid7().replace('-', '')}",
            name=call.name,
            custom=call.custom,
            signature=call.signature,
            source=GEMINI if call.signature else "",
        )
        events.append(PartBegun(self._choice, call.part, part))
        if call.arguments:
            events.append(Delta(self._choice, call.part, call.arguments))
