"""Citations of Converse: passages of documents, search results and pages that a text relies on.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html: the end of a range is excluded.
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import Citation, TextPart

_UNITS: dict[str, Literal["char", "page", "block"]] = {
    "documentChar": "char",
    "documentPage": "page",
    "documentChunk": "block",
}
_LOCATIONS = {unit: name for name, unit in _UNITS.items()}
_OWN_EXTRAS = frozenset({"source", "domain", "search_result_index"})


class _Range(msgspec.Struct, frozen=True):
    documentIndex: int | None = None  # noqa: N815 -- as on the wire, and so are the others
    searchResultIndex: int | None = None  # noqa: N815
    start: int | None = None
    end: int | None = None
    url: str = ""
    domain: str = ""


class WireText(msgspec.Struct):
    """A piece of text."""

    text: str = ""


class WireCitation(msgspec.Struct):
    """One citation, as it stands in a reply and in an event."""

    title: str = ""
    source: str = ""
    sourceContent: list[WireText] = []  # noqa: N815
    location: dict[str, _Range] = {}


def citation_of(wire: WireCitation) -> Citation:
    """What it says."""
    text = "".join(piece.text for piece in wire.sourceContent)
    extra = {"source": Raw(msgspec.json.encode(wire.source))} if wire.source else {}
    kind, place = next(iter(wire.location.items()), ("", _Range()))
    if kind == "web":
        if place.domain:
            extra["domain"] = Raw(msgspec.json.encode(place.domain))
        return Citation("url", text=text, title=wire.title, url=place.url, extra=extra)
    if kind == "searchResultLocation":
        extra["search_result_index"] = Raw(msgspec.json.encode(place.searchResultIndex))
        return Citation(
            "search_result", text=text, title=wire.title, unit="block", start=place.start, end=place.end, extra=extra
        )
    return Citation(
        "document",
        text=text,
        title=wire.title,
        document=place.documentIndex,
        unit=_UNITS.get(kind, ""),
        start=place.start,
        end=place.end,
        extra=extra,
    )


def cited_block(part: TextPart, path: str, losses: Losses) -> dict[str, Any]:
    """A text with its citations, as it goes back to the model."""
    citations = []
    for index, citation in enumerate(part.citations):
        for name in citation.extra.keys() - _OWN_EXTRAS:
            losses.lose(f"{path}.citations.{index}.{name}")
        citations.append(_wire(citation))
    return {"citationsContent": {"content": [{"text": part.text}], "citations": citations}}


def _wire(citation: Citation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if citation.title:
        found["title"] = citation.title
    if "source" in citation.extra:
        found["source"] = citation.extra["source"]
    if citation.text:
        found["sourceContent"] = [{"text": citation.text}]
    location = _location(citation)
    if location:
        found["location"] = location
    return found


def _location(citation: Citation) -> dict[str, Any]:
    place: dict[str, Any] = {}
    if citation.kind == "url":
        place["url"] = citation.url
        if "domain" in citation.extra:
            place["domain"] = citation.extra["domain"]
        return {"web": place}
    if citation.start is not None:
        place["start"] = citation.start
    if citation.end is not None:
        place["end"] = citation.end
    if citation.kind == "search_result":
        if "search_result_index" in citation.extra:
            place["searchResultIndex"] = citation.extra["search_result_index"]
        return {"searchResultLocation": place}
    if citation.document is not None:
        place["documentIndex"] = citation.document
    return {_LOCATIONS[citation.unit]: place} if citation.unit in _LOCATIONS else {}
