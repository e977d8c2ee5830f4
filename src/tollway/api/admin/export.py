"""Ledger entries as CSV and as JSON lines, chunk by chunk."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence

from tollway.api.admin.models.ledger import DetailedEntry, Entry
from tollway.data.ledger import StoredEntry
from tollway.ledger.usage import KINDS

_PLAIN = tuple(name for name in Entry.model_fields if name not in {"tags", "attempts", "usage"})
_COLUMNS = (*_PLAIN, *(f"usage_{kind}" for kind in KINDS), "tags")
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n")


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV Injection")."""
    if isinstance(value, str) and value.startswith(_FORMULA_BEGINNINGS):
        return f"'{value}"
    return value


def _row(stored: StoredEntry) -> list[object]:
    shown = Entry.of(stored).model_dump(mode="json")
    usage = stored.entry.usage
    tags = json.dumps(shown["tags"], ensure_ascii=False, sort_keys=True)
    return [
        *(_cell(shown[name]) for name in _PLAIN),
        *(getattr(usage, kind) for kind in KINDS),
        tags,  # an object: it begins with a brace
    ]


async def csv_stream(chunks: AsyncIterator[Sequence[StoredEntry]]) -> AsyncIterator[bytes]:
    """RFC 4180, UTF-8, with a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    yield buffer.getvalue().encode()
    async for chunk in chunks:
        buffer.seek(0)
        buffer.truncate()
        writer.writerows(_row(stored) for stored in chunk)
        yield buffer.getvalue().encode()


async def jsonl_stream(chunks: AsyncIterator[Sequence[StoredEntry]]) -> AsyncIterator[bytes]:
    """One JSON object a line."""
    async for chunk in chunks:
        yield "".join(f"{DetailedEntry.of(stored).model_dump_json()}\n" for stored in chunk).encode()
