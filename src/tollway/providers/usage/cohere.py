"""``usage`` of Cohere's chat, version 2.

The convention (https://docs.cohere.com/docs/how-does-cohere-pricing-work): ``billed_units`` are what is paid, and what
is counted here. ``tokens`` are all that the model saw and wrote, with a template of hundreds of tokens that is not
billed; they stand in only where nothing billed is told. ``cached_tokens`` are a part of ``tokens`` that is billed like
any other. Thoughts are inside the output. A stream tells its usage once, at its end.
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED
from tollway.ledger.usage import Usage
from tollway.providers.usage.wire import MAX_COUNT


class _Units(msgspec.Struct, gc=False):
    input_tokens: Any = None
    output_tokens: Any = None
    search_units: Any = None


class _Usage(msgspec.Struct, gc=False):
    billed_units: _Units | None = None
    tokens: _Units | None = None


_decode = msgspec.json.Decoder(_Usage).decode


def parse_usage(raw: bytes | Raw) -> Usage | None:
    """The usage as disjoint counts, ``None`` if it tells none. Never raises."""
    try:
        found = _decode(raw)
    except MALFORMED:
        return None
    for units in (found.billed_units, found.tokens):
        if units is None:
            continue
        entered, left = _count(units.input_tokens), _count(units.output_tokens)
        if entered is not None and left is not None:
            return Usage(input=entered, output=left, web_searches=_count(units.search_units) or 0)
    return None


def _count(value: Any) -> int | None:
    """A count; Cohere declares them as floating point numbers. ``None`` if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_COUNT and value == int(value) else None
