"""A ledger entry as one row of PostgreSQL's binary COPY format.

Binary, because it needs no escaping here and no parsing of numbers, times and ids there.
Format: https://www.postgresql.org/docs/current/sql-copy.html ("Binary Format").
"""

import struct
from functools import lru_cache
from operator import attrgetter

import msgspec

from tollway.data.schema.ledger_entry import usage_column
from tollway.ledger.entry import LedgerEntry
from tollway.ledger.usage import KINDS

_IDS = ("entry_id", "organization_id", "project_id", "key_id")
_FLAGS = ("stream", "priced")
_BIGINTS = (*(usage_column(kind) for kind in KINDS), "charge_pico", "duration_us", "request_bytes", "response_bytes")
_NULLABLE = ("provider_cost_pico", "first_byte_us")
_TEXTS = (
    "request_id",
    "surface",
    "model_asked",
    "provider",
    "model_sent",
    "model_answered",
    "user_tag",
    "outcome",
    "error",
    "usage_source",
)
_JSONS = ("tags", "attempts", "lines")
COLUMNS = ("admitted_at", *_IDS, *_FLAGS, "status", *_BIGINTS, *_NULLABLE, *_TEXTS, *_JSONS)
"""The columns in the order of the row: those of fixed size first, so that one call packs them."""

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)

_EPOCH_2000_US = 946_684_800_000_000
_fixed = struct.Struct(">h" + "iq" + "i16s" * len(_IDS) + "i?" * len(_FLAGS) + "ii" + "iq" * len(_BIGINTS))
_length = struct.Struct(">i")
_bigint = struct.Struct(">iq")
_NULL = _length.pack(-1)
_JSONB_VERSION = b"\x01"
_REPEATED_MAX = 4_096
"""Values of one column that are kept in their packed form: most columns repeat a few."""
_JSON_NUL = b"\\u0000"
_json = msgspec.json.Encoder()
_texts = attrgetter(*_TEXTS)
_FREE_TEXTS = ("request_id", "surface", "model_asked", "provider", "model_sent", "model_answered", "user_tag", "error")
"""Texts that are not values of an enumeration."""


class _AttemptObject(msgspec.Struct):
    """`tollway.ledger.entry.Attempt` as an object, so that the stored JSON explains itself."""

    provider: str
    model: str
    status: int
    error: str
    duration_us: int


class _LineObject(msgspec.Struct):
    """`tollway.ledger.entry.ChargeLine` as an object."""

    kind: str
    quantity: int
    price: int
    amount: int
    ref: str


def _id_bytes(text: str) -> bytes:
    value = bytes.fromhex(text.replace("-", ""))
    if len(value) != 16:  # noqa: PLR2004 - bytes of a UUID
        message = f"not a UUID: {text!r}"
        raise ValueError(message)
    return value


_known_id_bytes = lru_cache(maxsize=_REPEATED_MAX)(_id_bytes)
"""As `_id_bytes`, for ids that stand in many rows."""


def _without_nul(text: str) -> str:
    """PostgreSQL's text holds every character but NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _cleaned(entry: LedgerEntry) -> LedgerEntry:
    changed = {name: _without_nul(getattr(entry, name)) for name in _FREE_TEXTS}
    tags = tuple((_without_nul(name), _without_nul(value)) for name, value in entry.tags)
    attempts = tuple(
        msgspec.structs.replace(attempt, model=_without_nul(attempt.model), error=_without_nul(attempt.error))
        for attempt in entry.attempts
    )
    return msgspec.structs.replace(entry, tags=tags, attempts=attempts, **changed)


def _jsons(entry: LedgerEntry) -> tuple[bytes, bytes, bytes]:
    attempts = [_AttemptObject(*msgspec.structs.astuple(attempt)) for attempt in entry.attempts]
    lines = [_LineObject(*msgspec.structs.astuple(line)) for line in entry.lines]
    return _json.encode(dict(entry.tags)), _json.encode(attempts), _json.encode(lines)


def _fixed_part(entry: LedgerEntry) -> bytes:
    numbers = [8] * (2 * len(_BIGINTS))
    counted = msgspec.structs.astuple(entry.usage)
    numbers[1::2] = (*counted, entry.charge, entry.duration_us, entry.request_bytes, entry.response_bytes)
    return _fixed.pack(
        len(COLUMNS),
        8,
        entry.admitted_at_us - _EPOCH_2000_US,
        16,
        _id_bytes(entry.entry_id),
        16,
        _known_id_bytes(entry.organization_id),
        16,
        _known_id_bytes(entry.project_id),
        16,
        _known_id_bytes(entry.key_id),
        1,
        entry.stream,
        1,
        entry.priced,
        4,
        entry.status,
        *numbers,
    )


def _nullable(value: int | None) -> bytes:
    return _NULL if value is None else _bigint.pack(8, value)


def _text_field(text: str) -> bytes:
    data = text.encode()
    return _length.pack(len(data)) + data


_known_text_field = lru_cache(maxsize=_REPEATED_MAX)(_text_field)
"""As `_text_field`, for texts that stand in many rows."""


def row(entry: LedgerEntry) -> bytes:
    """The entry as one row.

    Raises:
        ValueError: an id is not a UUID.
        struct.error: a number is out of its column's range.
    """
    texts, jsons = _texts(entry), _jsons(entry)
    if "\0" in "".join(texts) or _JSON_NUL in b"".join(jsons):
        entry = _cleaned(entry)
        texts, jsons = _texts(entry), _jsons(entry)
    parts = [_fixed_part(entry), _nullable(entry.provider_cost), _nullable(entry.first_byte_us)]
    parts.append(_text_field(entry.request_id))
    parts += map(_known_text_field, texts[1:])
    for json in jsons:
        parts += (_length.pack(1 + len(json)), _JSONB_VERSION, json)
    return b"".join(parts)
