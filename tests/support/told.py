"""An answer as a stream of events."""

from collections.abc import Iterator

from msgspec.structs import replace

from tollway.chat.beside import joined
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
    PartEnded,
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
from tollway.chat.reply import ChatReply


def events_of(reply: ChatReply) -> Iterator[Event]:
    """Every part begins, grows once and ends. `tollway.chat.collect.collect` takes it back."""
    yield Begun(reply.id, reply.model, reply.created_s, reply.service_tier, reply.fingerprint)
    for number, choice in enumerate(reply.choices):
        for index, part in enumerate(choice.parts):
            yield from _part_events(number, index, part)
        if choice.logprobs is not None:
            yield Logprobs(number, choice.logprobs)
        for name, values in choice.beside.items():
            yield Beside(number, name, joined(values))
        yield Ended(number, choice.stop, choice.stop_sequence, choice.safety)
    if reply.usage is not None:
        yield Counted(reply.usage, whole=True, provider_cost=reply.provider_cost, service_tier=reply.service_tier)


def _part_events(choice: int, index: int, part: Part) -> Iterator[Event]:
    grown, signature, transcript = "", "", ""
    citations: tuple[Citation, ...] = ()
    if isinstance(part, TextPart):
        grown, citations, part = part.text, part.citations, replace(part, text="", citations=())
    elif isinstance(part, RefusalPart):
        grown, part = part.text, replace(part, text="")
    elif isinstance(part, ThinkingPart):
        grown, signature, part = part.text, part.signature, replace(part, text="", signature="")
    elif isinstance(part, ToolCallPart):
        grown, signature, part = part.arguments, part.signature, replace(part, arguments="", signature="")
    elif isinstance(part, AudioPart):
        grown, transcript = part.media.value, part.transcript
        part = replace(part, media=Media(part.media.kind, "", part.media.mime), transcript="")
    yield PartBegun(choice, index, part)
    if grown:
        yield Delta(choice, index, grown)
    if transcript:
        yield TranscriptDelta(choice, index, transcript)
    for citation in citations:
        yield Cited(choice, index, citation)
    if signature:
        yield SignatureDelta(choice, index, signature)
    yield PartEnded(choice, index)
