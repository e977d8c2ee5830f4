"""A stream of events as the answer it tells. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.beside import Gathered
from tollway.chat.events import (
    Begun,
    Beside,
    Cited,
    Counted,
    Delta,
    Ended,
    Event,
    Logprobs,
    PartBegun,
    SignatureDelta,
    TranscriptDelta,
)
from tollway.chat.message import (
    AudioPart,
    Citation,
    Media,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from tollway.chat.reply import ChatReply, Choice
from tollway.json_object import MALFORMED


def collect(events: Iterable[Event]) -> ChatReply:
    """The answer that a stream tells. One that breaks off is there as far as it came."""
    begun, counted = Begun(), None
    choices: dict[int, _Choice] = {}
    for event in events:
        if isinstance(event, Begun):
            begun = event
        elif isinstance(event, Counted):
            counted = event
        elif hasattr(event, "choice"):
            if event.choice not in choices:
                choices[event.choice] = _Choice()
            choices[event.choice].take(event)
    return ChatReply(
        id=begun.id,
        model=begun.model,
        created_s=begun.created_s,
        choices=tuple(choices[index].made() for index in sorted(choices)),
        usage=counted.usage if counted else None,
        provider_cost=counted.provider_cost if counted else None,
        service_tier=(counted.service_tier if counted else "") or begun.service_tier,
        fingerprint=begun.fingerprint,
    )


class _Growing:
    """A part on its way."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self.text: list[str] = []
        self.signature: list[str] = []
        self.transcript: list[str] = []
        self.citations: list[Citation] = []

    def made(self) -> Part:
        """The part as far as it came."""
        part, text, signature = self._part, "".join(self.text), "".join(self.signature)
        if isinstance(part, TextPart):
            return replace(part, text=part.text + text, citations=(*part.citations, *self.citations))
        if isinstance(part, RefusalPart):
            return replace(part, text=part.text + text)
        if isinstance(part, ThinkingPart):
            return replace(part, text=part.text + text, signature=part.signature + signature)
        if isinstance(part, ToolCallPart):
            return replace(part, arguments=part.arguments + text, signature=part.signature + signature)
        if isinstance(part, AudioPart):
            media = Media(part.media.kind, part.media.value + text, part.media.mime)
            return replace(part, media=media, transcript=part.transcript + "".join(self.transcript))
        return part


class _Choice:
    """One answer on its way."""

    def __init__(self) -> None:
        self._parts: dict[int, _Growing] = {}
        self._logprobs: list[Raw] = []
        self._beside = Gathered()
        self._ended: Ended | None = None

    def take(self, event: Event) -> None:
        """Take in one event of this answer."""
        if isinstance(event, PartBegun):
            self._parts[event.index] = _Growing(event.part)
        elif isinstance(event, Logprobs):
            self._logprobs.append(event.logprobs)
        elif isinstance(event, Beside):
            self._beside.note(event.name, event.raw)
        elif isinstance(event, Ended):
            self._ended = event
        elif isinstance(event, Delta):
            self._parts[event.index].text.append(event.text)
        elif isinstance(event, SignatureDelta):
            self._parts[event.index].signature.append(event.signature)
        elif isinstance(event, TranscriptDelta):
            self._parts[event.index].transcript.append(event.text)
        elif isinstance(event, Cited):
            self._parts[event.index].citations.append(event.citation)

    def made(self) -> Choice:
        """The answer as far as it came."""
        ended = self._ended or Ended(0, None)
        return Choice(
            parts=tuple(part.made() for part in self._parts.values()),
            stop=ended.stop,
            stop_sequence=ended.stop_sequence,
            logprobs=joined_logprobs(self._logprobs),
            safety=ended.safety,
            beside=self._beside.told,
        )


class _Logprobs(msgspec.Struct):
    content: list[Raw] | None = None
    refusal: list[Raw] | None = None


_decode_logprobs = msgspec.json.Decoder(_Logprobs).decode
_encode = msgspec.json.Encoder().encode


def joined_logprobs(pieces: list[Raw]) -> Raw | None:
    """The probabilities of all tokens, out of those of some each; ``None`` if there are none."""
    if len(pieces) <= 1:
        return pieces[0] if pieces else None
    joined = _Logprobs()
    for piece in pieces:
        try:
            found = _decode_logprobs(piece)
        except MALFORMED:
            continue
        joined.content = _joined(joined.content, found.content)
        joined.refusal = _joined(joined.refusal, found.refusal)
    return Raw(_encode(joined))


def _joined(first: list[Raw] | None, second: list[Raw] | None) -> list[Raw] | None:
    return first + second if first is not None and second is not None else second if first is None else first
