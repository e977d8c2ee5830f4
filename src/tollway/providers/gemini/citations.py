"""What an answer relies on: grounding metadata and citation metadata as citations of its text.

Both give places in bytes of UTF-8 (https://ai.google.dev/api/generate-content#Segment), which become characters. A
place that does not hold the words it says is looked for by these words: a stream counts from the beginning of the
answer, a whole reply from the beginning of the part.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from tollway.chat.message import Citation
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.gemini.answer_text import AnswerText
from tollway.providers.gemini.schema import ABSENT


class _Segment(msgspec.Struct, rename="camel", gc=False):
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class _Support(msgspec.Struct, rename="camel", gc=False):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Source(msgspec.Struct, gc=False):
    uri: str | None = None
    title: str | None = None
    text: str | None = None


class _Chunk(msgspec.Struct, rename="camel", gc=False):
    web: _Source | None = None
    maps: _Source | None = None
    image: _Source | None = None
    retrieved_context: _Source | None = None


class _Grounding(msgspec.Struct, rename="camel", gc=False):
    grounding_chunks: list[_Chunk] | None = None
    grounding_supports: list[_Support] | None = None
    web_search_queries: list[str] | None = None


class _Quote(msgspec.Struct, rename="camel", gc=False):
    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None
    license: str | None = None


class _Quotes(msgspec.Struct, rename="camel", gc=False):
    citations: list[_Quote] | None = None
    citation_sources: list[_Quote] | None = None


_decode_grounding = tolerant(msgspec.json.Decoder(_Grounding).decode)
_decode_quotes = tolerant(msgspec.json.Decoder(_Quotes).decode)
_encode = msgspec.json.Encoder().encode
_EMPTY = (ABSENT, Raw(b"{}"))


class Grounding(msgspec.Struct, frozen=True, gc=False):
    """What a candidate's metadata say. Attributes: queries: what was searched for, so that it can be charged."""

    citations: Iterable[Citation] = ()
    queries: tuple[str, ...] = ()


_NOTHING = Grounding()


def read_grounding(raw: Raw, text: AnswerText) -> Grounding:
    """Grounding metadata. Args: text: the text that places are in, as far as it is there."""
    if raw in _EMPTY:
        return _NOTHING
    try:
        found = _decode_grounding(raw)
    except MALFORMED:
        return _NOTHING
    return Grounding(_supported(found, text), tuple(found.web_search_queries or ()))


def read_quotes(raw: Raw, text: AnswerText) -> Iterable[Citation]:
    """Citation metadata: where the answer says what a source says, word for word."""
    if raw in _EMPTY:
        return ()
    try:
        found = _decode_quotes(raw)
    except MALFORMED:
        return ()
    return (_quoted(quote, text) for quote in (found.citations or found.citation_sources or ()))


def _supported(found: _Grounding, text: AnswerText) -> Iterator[Citation]:
    sources = [_citation(chunk) for chunk in found.grounding_chunks or ()]
    if not found.grounding_supports:
        yield from (source for source in sources if source is not None)
    for support in found.grounding_supports or ():
        segment = support.segment or _Segment()
        place = text.place(segment.start_index or 0, segment.end_index, segment.text)
        for index in support.grounding_chunk_indices or ():
            citation = sources[index] if 0 <= index < len(sources) else None
            if citation is not None:
                yield msgspec.structs.replace(
                    citation,
                    text=segment.text or "",
                    unit="" if place is None else "answer",
                    start=place and place[0],
                    end=place and place[1],
                )


def _citation(chunk: _Chunk) -> Citation | None:
    web = chunk.web or chunk.maps or chunk.image
    if web is not None:
        return Citation("url", title=web.title or "", url=web.uri or "")
    held = chunk.retrieved_context
    if held is None:
        return None
    passage = {} if held.text is None else {"passage": Raw(_encode(held.text))}
    return Citation("search_result", title=held.title or "", url=held.uri or "", extra=passage)


def _quoted(quote: _Quote, text: AnswerText) -> Citation:
    place = text.place(quote.start_index or 0, quote.end_index, None)
    return Citation(
        "url",
        title=quote.title or "",
        url=quote.uri or "",
        unit="" if place is None else "answer",
        start=place and place[0],
        end=place and place[1],
        extra={} if quote.license is None else {"license": Raw(_encode(quote.license))},
    )
