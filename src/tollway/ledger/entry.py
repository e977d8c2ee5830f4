"""The ledger entry: one for each request that was admitted, whatever its end.

``gc=False``: these can hold no cycle, and tens of thousands a second would keep the collector busy.
"""

from enum import StrEnum

import msgspec

from tollway.ledger.settlement import Settlement
from tollway.ledger.usage import Usage


class UsageSource(StrEnum):
    """Where the counts of an entry come from."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"
    NONE = "none"


class Outcome(StrEnum):
    """How an admitted request ended."""

    OK = "ok"
    UPSTREAM_ERROR = "upstream_error"
    """The provider answered with an error, or with something unusable."""
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    STREAM_CUT = "stream_cut"
    """The provider's stream ended before its end mark, or carried an error."""
    CLIENT_LEFT = "client_left"
    INTERRUPTED = "interrupted"
    """Our process died or stopped before the request ended; written on replay."""
    INTERNAL_ERROR = "internal_error"


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One try at one provider.

    Attributes:
        provider: provider name.
        model: the model name sent upstream.
        status: HTTP status of the provider, 0 if none came.
        error: our error code, empty when the attempt succeeded.
        duration_us: microseconds from the start of the attempt to its end.
        input_tokens, output_tokens, charge, usage_source: its part of the entry's tokens, pico-dollars and who counted
            it; 0 for an attempt that is not paid for, and for the only one of an entry, which has it all.
    """

    provider: str
    model: str
    status: int
    error: str
    duration_us: int
    input_tokens: int = 0
    output_tokens: int = 0
    charge: int = 0
    usage_source: UsageSource = UsageSource.NONE


class ChargeLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The charge for one dimension: ``amount == round_half_up(quantity * price / 10**6)``.

    Attributes:
        kind: the dimension, a kind of `Usage`.
        quantity: units counted.
        price: pico-dollars per million units.
        amount: pico-dollars.
        ref: the price row used.
    """

    kind: str
    quantity: int
    price: int
    amount: int
    ref: str


class Spent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What attempts of one request have taken, all together. Append new fields at the end, with a default.

    Attributes are those of `LedgerEntry`.
    """

    usage: Usage = Usage(requests=0)
    usage_source: UsageSource = UsageSource.NONE
    priced: bool = True
    charge: int = 0
    lines: tuple[ChargeLine, ...] = ()
    settlements: tuple[Settlement, ...] = ()


class EntryOpen(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="open"):
    """What is journaled before anything goes upstream. Without a matching entry it becomes ``interrupted``.

    Another one of the same entry, before a later attempt, takes the place of those before it. Append new fields at the
    end, with a default: the journal stores this by position.

    Attributes are those of `LedgerEntry`, and what an interrupted request is charged by:
        input_bytes: size of the request body, which estimates the input tokens.
        input_price: pico-dollars per million input tokens, ``None`` if no price is known.
        input_price_ref: the price row it came from.
        settlements: what it takes from budgets if it ends here, beside what is in `spent`: for a strict budget all that
            is held.
        attempts: those that ended.
        spent: what these have taken, ``None`` for nothing.
    """

    entry_id: str
    request_id: str
    admitted_at_us: int
    organization_id: str
    project_id: str
    key_id: str
    surface: str
    model_asked: str
    provider: str
    model_sent: str
    user_tag: str
    tags: tuple[tuple[str, str], ...]
    stream: bool
    input_bytes: int
    input_price: int | None = None
    input_price_ref: str = ""
    settlements: tuple[Settlement, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    spent: Spent | None = None


class LedgerEntry(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="entry"):
    """One admitted request. Append new fields at the end, with a default: the journal stores this by position.

    Attributes:
        entry_id: our own UUIDv7: the key under which the drain is idempotent.
        request_id: what the caller sees in ``x-request-id``; may have been chosen by the caller, so not unique.
        admitted_at_us: epoch microseconds.
        organization_id, project_id, key_id: UUIDs.
        surface: what was asked for: ``chat``, ``messages``, ``embeddings`` …
        model_asked: the model as the caller named it (alias or ``provider/model``).
        provider: name of the provider that answered, or was asked last.
        model_sent: the model name sent upstream.
        model_answered: the model named in the reply, empty if none.
        user_tag: the request's ``user`` or ``safety_identifier``.
        tags: sorted ``(name, value)`` pairs.
        stream: whether the caller asked for a stream.
        outcome: how it ended.
        status: HTTP status the caller got; 499 when the caller left before one was sent.
        error: our error code, empty on success.
        attempts: every try upstream.
        usage: disjoint counts.
        usage_source: who counted.
        priced: whether every used dimension had a price. An unpriced entry has the charge of its priced part.
        charge: pico-dollars.
        lines: the charge per dimension; their amounts sum to ``charge``.
        provider_cost: pico-dollars the provider itself reports, ``None`` if it does not.
        duration_us: microseconds from admission to the end.
        first_byte_us: microseconds from admission to the first byte of the reply body, ``None`` if none came.
        request_bytes, response_bytes: body sizes as the caller sent and got them.
        settlements: what it takes from each budget that applied. Usually the charge; the upper bound of the request
            where nobody counted and the budget is strict.
        saved: pico-dollars that the request would have cost, had its answer not been in the response cache.
    """

    entry_id: str
    request_id: str
    admitted_at_us: int
    organization_id: str
    project_id: str
    key_id: str
    surface: str
    model_asked: str
    provider: str
    model_sent: str
    model_answered: str
    user_tag: str
    tags: tuple[tuple[str, str], ...]
    stream: bool
    outcome: Outcome
    status: int
    error: str
    attempts: tuple[Attempt, ...]
    usage: Usage
    usage_source: UsageSource
    priced: bool
    charge: int
    lines: tuple[ChargeLine, ...]
    provider_cost: int | None
    duration_us: int
    first_byte_us: int | None
    request_bytes: int
    response_bytes: int
    settlements: tuple[Settlement, ...] = ()
    saved: int = 0
