"""Ledger entries for tests: sound ones, made of a few choices."""

import time
from pathlib import Path

import msgspec

from tollway.ids import uuid7
from tollway.journal.writer import JournalWriter
from tollway.ledger.entry import Attempt, ChargeLine, EntryOpen, LedgerEntry, Outcome, UsageSource
from tollway.ledger.money import charge
from tollway.ledger.usage import Usage

PRICE = 150_000_000_000
"""Pico-dollars per million tokens: 0.15 USD."""


def an_entry(**changes: object) -> LedgerEntry:
    """A request that went well, with 1,000 input and 200 output tokens."""
    lines = tuple(
        ChargeLine(kind, quantity, PRICE, charge(quantity, PRICE), "test:price")
        for kind, quantity in (("input", 1_000), ("output", 200))
    )
    entry = LedgerEntry(
        entry_id=uuid7(),
        request_id=uuid7(),
        admitted_at_us=time.time_ns() // 1_000,
        organization_id=uuid7(),
        project_id=uuid7(),
        key_id=uuid7(),
        surface="chat",
        model_asked="fast",
        provider="openai",
        model_sent="gpt-4o-mini",
        model_answered="gpt-4o-mini-2024-07-18",
        user_tag="ada",
        tags=(("team", "search"),),
        stream=False,
        outcome=Outcome.OK,
        status=200,
        error="",
        attempts=(Attempt("openai", "gpt-4o-mini", 200, "", 120_000),),
        usage=Usage(input=1_000, output=200),
        usage_source=UsageSource.PROVIDER,
        priced=True,
        charge=sum(line.amount for line in lines),
        lines=lines,
        provider_cost=None,
        duration_us=125_000,
        first_byte_us=90_000,
        request_bytes=4_000,
        response_bytes=900,
    )
    return msgspec.structs.replace(entry, **changes)


def opening(entry: LedgerEntry, *, input_price: int | None = PRICE) -> EntryOpen:
    """What was journaled when this request was admitted."""
    shared = {name: getattr(entry, name) for name in EntryOpen.__struct_fields__ if hasattr(entry, name)}
    return EntryOpen(**shared, input_bytes=entry.request_bytes, input_price=input_price, input_price_ref="test:price")


def a_writer(journal: Path, **changes: object) -> JournalWriter:
    """A journal of a new worker, with large limits unless told otherwise."""
    settings = {"worker_id": uuid7(), "segment_bytes": 1 << 20, "max_bytes": 1 << 30, "fsync_interval_s": 0.001}
    return JournalWriter(journal, **(settings | changes))
