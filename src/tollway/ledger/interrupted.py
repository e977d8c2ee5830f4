"""The entry of a request whose worker died before it ended."""

from tollway.constants import BYTES_PER_TOKEN
from tollway.ledger.entry import ChargeLine, EntryOpen, LedgerEntry, Outcome, Spent, UsageSource
from tollway.ledger.money import charge
from tollway.ledger.spent import together
from tollway.ledger.usage import Usage


def interrupted_entry(record: EntryOpen) -> LedgerEntry:
    """Charge what earlier attempts took, and the estimated input of the last one at the price that was known then.

    What the provider answered, if anything, is not known to anybody here, so no output is charged. Status 0: the caller
    got none. Without a known price the entry is unpriced, not free.
    """
    usage = Usage(input=_tokens(record.input_bytes))
    lines: tuple[ChargeLine, ...] = ()
    if record.input_price is not None:
        amount = charge(usage.input, record.input_price)
        lines = (ChargeLine("input", usage.input, record.input_price, amount, record.input_price_ref),)
    own = Spent(
        usage,
        UsageSource.ESTIMATED,
        record.input_price is not None,
        sum(line.amount for line in lines),
        lines,
        record.settlements,
    )
    spent = together(record.spent, own)
    return LedgerEntry(
        entry_id=record.entry_id,
        request_id=record.request_id,
        admitted_at_us=record.admitted_at_us,
        organization_id=record.organization_id,
        project_id=record.project_id,
        key_id=record.key_id,
        surface=record.surface,
        model_asked=record.model_asked,
        provider=record.provider,
        model_sent=record.model_sent,
        model_answered="",
        user_tag=record.user_tag,
        tags=record.tags,
        stream=record.stream,
        outcome=Outcome.INTERRUPTED,
        status=0,
        error="interrupted",
        attempts=record.attempts,
        usage=spent.usage,
        usage_source=spent.usage_source,
        priced=spent.priced,
        charge=spent.charge,
        lines=spent.lines,
        provider_cost=None,
        duration_us=0,
        first_byte_us=None,
        request_bytes=record.input_bytes,
        response_bytes=0,
        settlements=spent.settlements,
    )


def estimated_charge(input_bytes: int, input_price: int | None) -> int:
    """What such an entry is charged, in pico-dollars.

    Args:
        input_bytes: size of the request body.
        input_price: pico-dollars per million input tokens; ``None`` if none is known.
    """
    return charge(_tokens(input_bytes), input_price) if input_price is not None else 0


def _tokens(input_bytes: int) -> int:
    return -(-input_bytes // BYTES_PER_TOKEN)
