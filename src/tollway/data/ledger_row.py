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
_BIGINTS = (
    *(usage_column(kind) for kind in KINDS),
    "charge_pico",
    "saved_pico",
    "duration_us",
    "request_bytes",
    "response_bytes",
)
_NULLABLE = ("provider_cost_pico", "first_byte_us")
_REPEATED_TEXTS = (
    "surface",
    "model_asked",
    "provider",
    "model_sent",
    "model_answered",
    "outcome",
    "error",
    "usage_source",
)
_TEXTS = ("request_id", "user_tag", *_REPEATED_TEXTS)
_JSONS = ("tags", "attempts", "lines")
COLUMNS = ("admitted_at", *_IDS, *_FLAGS, "status", *_BIGINTS, *_NULLABLE, *_TEXTS, *_JSONS)
"""The columns in the order of the row: those of fixed size first, so that one call packs them."""

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)

_EPOCH_2000_US = 946_684_800_000_000
_fixed = struct.Struct(">h" + "iq" + "i16s" * len(_IDS) + "i?" * len(_FLAGS) + "ii" + "iq" * len(_BIGINTS))
_length = struct.Struct(">i")
_jsonb_head = struct.Struct(">ib")
_bigint = struct.Struct(">iq")
_NULL = _length.pack(-1)
_JSONB_VERSION = 1
_REPEATED_MAX = 4_096
"""Values that are kept in their packed form: most columns repeat a few."""
_JSON_NUL = b"\\u0000"
_json = msgspec.json.Encoder()
_repeated_texts = attrgetter(*_REPEATED_TEXTS)


class _AttemptObject(msgspec.Struct):
    """`tollway.ledger.entry.Attempt` as an object, so that the stored JSON explains itself."""

    provider: str
    model: str
    status: int
    error: str
    duration_us: int
    input_tokens: int
    output_tokens: int
    charge: int
    usage_source: str


class _LineObject(msgspec.Struct):
    """`tollway.ledger.entry.ChargeLine` as an object."""

    kind: str
    quantity: int
    price: int
    amount: int
    ref: str


def id_bytes(text: str) -> bytes:
    """The bytes of an id. Raises ValueError if it is not a UUID."""
    value = bytes.fromhex(text.replace("-", ""))
    if len(value) != 16:  # noqa: PLR2004 - bytes of a UUID
        message = f"not a UUID: {text!r}"
        raise ValueError(message)
    return value


_known_id_bytes = lru_cache(maxsize=_REPEATED_MAX)(id_bytes)
"""As `id_bytes`, for ids that stand in many rows."""


def without_nul(text: str) -> str:
    """PostgreSQL's text holds every character but NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _cleaned(entry: LedgerEntry) -> LedgerEntry:
    """Without NUL in what is stored as JSON."""
    tags = tuple((without_nul(name), without_nul(value)) for name, value in entry.tags)
    attempts = tuple(
        msgspec.structs.replace(attempt, model=without_nul(attempt.model), error=without_nul(attempt.error))
        for attempt in entry.attempts
    )
    return msgspec.structs.replace(entry, tags=tags, attempts=attempts)


def _jsons(entry: LedgerEntry) -> bytes:
    """The fields of `_JSONS`."""
    tags = _json.encode(dict(entry.tags))
    attempts = _json.encode([_AttemptObject(*msgspec.structs.astuple(attempt)) for attempt in entry.attempts])
    lines = _json.encode([_LineObject(*msgspec.structs.astuple(line)) for line in entry.lines])
    head = _jsonb_head.pack
    return b"".join(
        (
            head(1 + len(tags), _JSONB_VERSION),
            tags,
            head(1 + len(attempts), _JSONB_VERSION),
            attempts,
            head(1 + len(lines), _JSONB_VERSION),
            lines,
        )
    )


def _fixed_part(entry: LedgerEntry) -> bytes:
    numbers = [8] * (2 * len(_BIGINTS))
    counted = msgspec.structs.astuple(entry.usage)
    numbers[1::2] = (
        *counted,
        entry.charge,
        entry.saved,
        entry.duration_us,
        entry.request_bytes,
        entry.response_bytes,
    )
    return _fixed.pack(
        len(COLUMNS),
        8,
        entry.admitted_at_us - _EPOCH_2000_US,
        16,
        id_bytes(entry.entry_id),
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
    data = without_nul(text).encode()
    return _length.pack(len(data)) + data


@lru_cache(maxsize=_REPEATED_MAX)
def _known_text_fields(texts: tuple[str, ...]) -> bytes:
    """The fields of texts that stand together in many rows."""
    return b"".join(map(_text_field, texts))


def row(entry: LedgerEntry) -> bytes:
    """The entry as one row.

    Raises:
        ValueError: an id is not a UUID.
        struct.error: a number is out of its column's range.
    """
    jsons = _jsons(entry)
    if _JSON_NUL in jsons:
        jsons = _jsons(_cleaned(entry))
    return b"".join(
        (
            _fixed_part(entry),
            _nullable(entry.provider_cost),
            _nullable(entry.first_byte_us),
            _text_field(entry.request_id),
            _text_field(entry.user_tag),
            _known_text_fields(_repeated_texts(entry)),
            jsons,
        )
    )
