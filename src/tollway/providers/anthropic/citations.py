"""Citations, as the format has them and as `tollway.chat` has them.

Source: https://platform.claude.com/docs/en/build-with-claude/citations and the search tools' pages. Pages count from 1,
characters and blocks from 0; ends are excluded everywhere.
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.message import Citation
from tollway.json_object import MALFORMED

_RANGES = {"char": "char_index", "page": "page_number", "block": "block_index"}
_KINDS = {"char_location": "char", "page_location": "page", "content_block_location": "block"}
_LOCATIONS = {unit: kind for kind, unit in _KINDS.items()}
_WEB = "web_search_result_location"
_SEARCH = "search_result_location"
_NULL = Raw(b"null")
_OWN = frozenset({"encrypted_index", "file_id"})
"""Extras that citations of the format have room for."""


class _Wire(msgspec.Struct, gc=False):
    type: str = ""
    cited_text: str | None = None
    document_index: int | None = None
    document_title: str | None = None
    title: str | None = None
    url: str | None = None
    source: str | None = None
    search_result_index: int | None = None
    encrypted_index: Raw = _NULL
    file_id: Raw = _NULL
    start_char_index: int | None = None
    end_char_index: int | None = None
    start_page_number: int | None = None
    end_page_number: int | None = None
    start_block_index: int | None = None
    end_block_index: int | None = None


_decode = msgspec.json.Decoder(_Wire).decode


def read_citation(raw: bytes | Raw) -> Citation | None:
    """One citation, in `Citation.extra` as it came if its kind is not known; ``None`` if it is none. Never raises."""
    try:
        wire = _decode(raw)
    except MALFORMED:
        return None
    extra = {
        name: value
        for name, value in (("encrypted_index", wire.encrypted_index), ("file_id", wire.file_id))
        if bytes(value) != b"null"
    }
    if wire.type == _WEB:
        return Citation("url", wire.cited_text or "", wire.title or "", wire.url or "", extra=extra)
    if wire.type == _SEARCH:
        return Citation(
            "search_result",
            wire.cited_text or "",
            wire.title or "",
            wire.source or "",
            wire.search_result_index,
            "block",
            wire.start_block_index,
            wire.end_block_index,
            extra,
        )
    unit: Any = _KINDS.get(wire.type)
    title = wire.document_title or ""
    if unit is None:
        return Citation("document", wire.cited_text or "", title, extra={"citation": Raw(bytes(raw))})
    start, end = (getattr(wire, f"{side}_{_RANGES[unit]}") for side in ("start", "end"))
    return Citation("document", wire.cited_text or "", title, "", wire.document_index, unit, start, end, extra)


def is_told(citation: Citation) -> bool:
    """Whether `citation_object` tells all that is known of it."""
    if citation.kind == "document":
        return citation.unit in _LOCATIONS and not citation.extra.keys() - _OWN
    return citation.unit != "answer" and not citation.extra.keys() - _OWN


def citation_object(citation: Citation) -> dict[str, Any] | None:
    """One citation as the format has it; ``None`` for what it has no words for: a place in the answer alone.

    A source on the web needs an ``encrypted_index``, which no other provider has: then it is empty.
    """
    text = {"cited_text": citation.text}
    if citation.kind == "url":
        index = citation.extra.get("encrypted_index", "")
        return {"type": _WEB, **text, "url": citation.url, "title": citation.title or None, "encrypted_index": index}
    if citation.kind == "search_result":
        return {
            "type": _SEARCH,
            **text,
            "source": citation.url,
            "title": citation.title or None,
            "search_result_index": citation.document or 0,
            "start_block_index": (citation.start or 0) if citation.unit == "block" else 0,
            "end_block_index": (citation.end or 0) if citation.unit == "block" else 0,
        }
    kind = _LOCATIONS.get(citation.unit)
    if kind is None:
        return None
    made: dict[str, Any] = {
        "type": kind,
        **text,
        "document_index": citation.document or 0,
        "document_title": citation.title or None,
        f"start_{_RANGES[citation.unit]}": citation.start or 0,
        f"end_{_RANGES[citation.unit]}": citation.end or 0,
    }
    if "file_id" in citation.extra:
        made["file_id"] = citation.extra["file_id"]
    return made
