"""What an answer relies on: grounding metadata and citation metadata as citations of its text.

Both give places in bytes of UTF-8 (https://ai.google.dev/api/generate-content#Segment), which become characters. A
place that does not hold the words it says is looked for by these words: a stream counts from the beginning of the
answer, a whole reply from the beginning of the part.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from tollway.chat.message import Citation
from tollway.providers.gemini.schema import ABSENT
from tollway.routing.json_object import MALFORMED, tolerant


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

    citations: tuple[Citation, ...] = ()
    queries: tuple[str, ...] = ()


_NOTHING = Grounding()


def read_grounding(raw: Raw, text: str) -> Grounding:
    """Grounding metadata. Args: text: the text that places are in, as far as it is there."""
    if raw in _EMPTY:
        return _NOTHING
    try:
        found = _decode_grounding(raw)
    except MALFORMED:
        return _NOTHING
    return Grounding(tuple(_supported(found, text)), tuple(found.web_search_queries or ()))


def read_quotes(raw: Raw, text: str) -> tuple[Citation, ...]:
    """Citation metadata: where the answer says what a source says, word for word."""
    if raw in _EMPTY:
        return ()
    try:
        found = _decode_quotes(raw)
    except MALFORMED:
        return ()
    return tuple(_quoted(quote, text) for quote in (found.citations or found.citation_sources or ()))


def _supported(found: _Grounding, text: str) -> Iterator[Citation]:
    chunks = found.grounding_chunks or []
    if not found.grounding_supports:
        yield from (citation for chunk in chunks if (citation := _citation(chunk)) is not None)
    encoded = text.encode("utf-8", "replace")
    for support in found.grounding_supports or ():
        segment = support.segment or _Segment()
        place = _place(segment, text, encoded)
        for index in support.grounding_chunk_indices or ():
            citation = _citation(chunks[index]) if 0 <= index < len(chunks) else None
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


def _quoted(quote: _Quote, text: str) -> Citation:
    encoded = text.encode("utf-8", "replace")
    place = _place(_Segment(quote.start_index, quote.end_index), text, encoded)
    return Citation(
        "url",
        title=quote.title or "",
        url=quote.uri or "",
        unit="" if place is None else "answer",
        start=place and place[0],
        end=place and place[1],
        extra={} if quote.license is None else {"license": Raw(_encode(quote.license))},
    )


def _place(segment: _Segment, text: str, encoded: bytes) -> tuple[int, int] | None:
    """The characters of a segment, ``None`` if it is not in the text."""
    start, end = segment.start_index or 0, segment.end_index
    if end is not None and 0 <= start <= end <= len(encoded):
        words = encoded[start:end].decode("utf-8", "replace")
        if segment.text is None or words == segment.text:
            begin = len(encoded[:start].decode("utf-8", "replace"))
            return begin, begin + len(words)
    if not segment.text:
        return None
    found = text.find(segment.text)
    return None if found < 0 else (found, found + len(segment.text))
