"""One stream of generateContent: server-sent events, each a piece of the reply in the form of a whole one.

There is no end mark. A stream is whole when its connection has ended and every answer in it has told why it ended: an
answer may have its reason before another one has begun, so the end of the connection is waited for. A whole reply is
read as a stream of one event, so that both mean the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

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
)
from tollway.chat.message import Citation, Part, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import Stop
from tollway.json_object import MALFORMED
from tollway.providers.gemini.answer_text import AnswerText
from tollway.providers.gemini.citations import read_grounding, read_quotes
from tollway.providers.gemini.logprobs import read_logprobs
from tollway.providers.gemini.parts import read_parts
from tollway.providers.gemini.schema import ABSENT, Candidate, Response, decode_response
from tollway.providers.sse import EventStream
from tollway.providers.usage.gemini import charged_searches, parse_usage

_STOPS: dict[str | int, Stop] = {
    "STOP": Stop.END,
    1: Stop.END,
    "MAX_TOKENS": Stop.LENGTH,
    2: Stop.LENGTH,
    "CONTINUATION": Stop.LENGTH,
    3: Stop.FILTER,
    4: Stop.FILTER,
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
            "ESCALATION",
        ),
        Stop.FILTER,
    ),
}
"""Why an answer ended; what is not here (a malformed or unexpected call, an unsupported language …) is `Stop.OTHER`."""
_MODELS = "models/"
"""Beginning of the full name of a model, which some servers tell."""
_NOT_ENDED = frozenset({None, "", 0, "FINISH_REASON_UNSPECIFIED"})
_OWN_ENDS = frozenset({Stop.END, Stop.TOOL_CALLS, Stop.LENGTH})
"""Ends that need no words to explain them."""
_EMPTY = (ABSENT, Raw(b"{}"))
_CITED_MAX = 4_096
"""Citations of one answer; of more, the metadata as they came tell."""
_CITED_MAX_CHARS = 1 << 20
"""Of the words of all of them."""
_encode = msgspec.json.Encoder().encode


class GeminiStream(EventStream):
    """Reads one stream. Satisfies `tollway.providers.wire.WireStream`."""

    __slots__ = ("_ended", "_reader")

    def __init__(self) -> None:
        super().__init__()
        self._reader = ResponseReader()
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether the connection ended when every answer had."""
        return self._ended and not self.torn and self._reader.whole

    @property
    def torn(self) -> bool:
        """Whether the bytes so far end in the middle of an event."""
        return self._unread or self._splitter.torn

    def finish(self) -> Sequence[Event]:
        """See `EventStream.finish`."""
        events = super().finish()
        self._ended = True
        return events

    def _read(self, data: bytes, events: list[Event]) -> None:
        with suppress(*MALFORMED):
            events += self._reader.take(decode_response(data))


class ResponseReader:
    """Takes the pieces of one reply, in order."""

    __slots__ = ("_begun", "_candidates", "_model", "_queries", "_seed")

    def __init__(self) -> None:
        self._begun = False
        self._seed = ""
        self._model = ""
        self._candidates: dict[int, _CandidateReader] = {}
        self._queries: list[str] = []

    @property
    def whole(self) -> bool:
        """Whether there are answers, and all have ended."""
        return bool(self._candidates) and all(each.ended for each in self._candidates.values())

    def take(self, response: Response) -> Iterator[Event]:
        """What a piece says."""
        if response.error is not None:
            yield _broke(response.error)
            return
        if not self._begun:
            self._begun = True
            self._seed = response.response_id or ""
            self._model = (response.model_version or "").removeprefix(_MODELS)
            yield Begun(self._seed, self._model, _epoch_s(response.create_time))
        for candidate in response.candidates or ():
            yield from self._candidate(candidate.index or 0).take(candidate)
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason and not self._candidates:
            blocked = Candidate(finish_reason="PROHIBITED_CONTENT", safety_ratings=feedback.safety_ratings)
            yield from self._candidate(0).take(blocked)
            why = {"blockReason": feedback.block_reason, "blockReasonMessage": feedback.block_reason_message}
            yield Beside(0, "promptFeedback", Raw(_encode(why)))
        if response.usage_metadata != ABSENT:
            yield from self._count(response.usage_metadata)

    def _candidate(self, index: int) -> "_CandidateReader":
        if index not in self._candidates:
            self._candidates[index] = _CandidateReader(index, f"{self._seed}/{index}", self._queries)
        return self._candidates[index]

    def _count(self, metadata: Raw) -> Iterator[Event]:
        searches = charged_searches(self._queries, model=self._model) if self._queries else 0
        found = parse_usage(metadata, searches=searches)
        if found is not None:
            yield Counted(found.usage, whole=self.whole, service_tier=found.service_tier)


class _CandidateReader:
    """One answer as it comes.

    Text goes on being one part until something else comes. Signatures of text wait until it has ended, so that parts
    do not overlap.
    """

    __slots__ = (
        "_beside",
        "_calls",
        "_choice",
        "_cited",
        "_cited_chars",
        "_index",
        "_open",
        "_queries",
        "_seed",
        "_signatures",
        "_text",
        "ended",
    )

    def __init__(self, choice: int, seed: str, queries: list[str]) -> None:
        self._choice = choice
        self._seed = seed
        self._queries = queries
        self._index = 0
        self._open: TextPart | ThinkingPart | None = None
        self._text = AnswerText()
        self._signatures: list[ThinkingPart] = []
        self._cited: set[int] = set()
        self._cited_chars = 0
        self._beside: dict[str, Raw] = {}
        self._calls = 0
        self.ended = False

    def take(self, candidate: Candidate) -> Iterator[Event]:
        """What a piece of the answer says; nothing more comes after its end."""
        if self.ended:
            return
        parts = candidate.content.parts if candidate.content is not None else None
        for raw in parts or ():
            for part in read_parts(raw, seed=f"{self._seed}/{self._calls}"):
                yield from self._part(part)
        if candidate.grounding_metadata != ABSENT or candidate.citation_metadata != ABSENT:
            yield from self._cite(candidate)
        yield from self._tell_beside(candidate)
        logprobs = read_logprobs(candidate.logprobs_result)
        if logprobs is not None:
            yield Logprobs(self._choice, logprobs)
        if candidate.finish_reason not in _NOT_ENDED:
            yield from self._end(candidate)

    def _part(self, part: Part) -> Iterator[Event]:
        opened = self._open
        if isinstance(part, TextPart) and isinstance(opened, TextPart):
            self._text.add(part.text)
            yield Delta(self._choice, self._index, part.text)
        elif isinstance(part, ThinkingPart) and not part.text and isinstance(opened, TextPart):
            self._signatures.append(part)
        elif isinstance(part, ThinkingPart) and isinstance(opened, ThinkingPart):
            if part.text:
                yield Delta(self._choice, self._index, part.text)
            if part.signature:
                yield SignatureDelta(self._choice, self._index, part.signature)
                yield from self._close()
        else:
            yield from self._begin(part)

    def _begin(self, part: Part) -> Iterator[Event]:
        yield from self._close()
        yield PartBegun(self._choice, self._index, part)
        if isinstance(part, TextPart):
            self._open, self._text = part, AnswerText(part.text)
        elif isinstance(part, ThinkingPart) and part.text and not part.signature:
            self._open = part
        else:
            self._calls += isinstance(part, ToolCallPart)
            yield from self._ended_part()

    def _close(self) -> Iterator[Event]:
        if self._open is None:
            return
        self._open = None
        yield from self._ended_part()
        for signature in self._signatures:
            yield PartBegun(self._choice, self._index, signature)
            yield from self._ended_part()
        self._signatures = []

    def _ended_part(self) -> Iterator[Event]:
        yield PartEnded(self._choice, self._index)
        self._index += 1

    def _cite(self, candidate: Candidate) -> Iterator[Event]:
        """Citations are of the text they come with: the metadata come with the last piece of it."""
        text = self._text if isinstance(self._open, TextPart) else AnswerText()
        grounding = read_grounding(candidate.grounding_metadata, text)
        self._queries += grounding.queries
        if text:
            for citation in chain(grounding.citations, read_quotes(candidate.citation_metadata, text)):
                if len(self._cited) == _CITED_MAX:
                    return
                if self._is_new(citation):
                    yield Cited(self._choice, self._index, self._bounded(citation))

    def _bounded(self, citation: Citation) -> Citation:
        """Many citations may share long words: beyond a bound they are told without."""
        self._cited_chars += len(citation.text) + sum(len(bytes(value)) for value in citation.extra.values())
        return replace(citation, text="", extra={}) if self._cited_chars > _CITED_MAX_CHARS else citation

    def _tell_beside(self, candidate: Candidate) -> Iterator[Event]:
        """What grounds the answer, as it came: the queries, how sure it is, what has to be shown with it."""
        for name, raw in (
            ("groundingMetadata", candidate.grounding_metadata),
            ("citationMetadata", candidate.citation_metadata),
            ("urlContextMetadata", candidate.url_context_metadata),
        ):
            if raw is not ABSENT and raw not in _EMPTY and self._beside.get(name) != raw:
                self._beside[name] = raw
                yield Beside(self._choice, name, raw)

    def _is_new(self, citation: Citation) -> bool:
        """Some events repeat what earlier ones cited."""
        key = hash((citation.url, citation.title, citation.text, citation.start, citation.end))
        if key in self._cited:
            return False
        self._cited.add(key)
        return True

    def _end(self, candidate: Candidate) -> Iterator[Event]:
        yield from self._close()
        self.ended = True
        reason = candidate.finish_reason
        stop = _STOPS.get(reason, Stop.OTHER) if reason is not None else None
        if stop is Stop.END and self._calls:
            stop = Stop.TOOL_CALLS
        ratings = candidate.safety_ratings
        safety = None if ratings in (ABSENT, Raw(b"[]")) else Raw(bytes(ratings))
        if candidate.finish_message and stop not in _OWN_ENDS:
            yield Beside(self._choice, "finishMessage", Raw(_encode(candidate.finish_message)))
        yield Ended(self._choice, stop, safety=safety)


def _broke(error: Any) -> Broke:
    """``{"error": {code, message, status}}`` inside the stream."""
    if not isinstance(error, dict):
        return Broke(str(error))
    return Broke(str(error.get("message") or ""), str(error.get("status") or error.get("code") or ""))


def _epoch_s(moment: str | None) -> int:
    """Epoch seconds of an RFC 3339 time; 0 if it is none. Only Vertex AI tells it."""
    try:
        return int(datetime.fromisoformat(moment).timestamp()) if moment else 0
    except (ValueError, OverflowError):
        return 0
