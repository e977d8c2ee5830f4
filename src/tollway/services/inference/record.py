"""Rate a request that ended and write its entry: once, whatever the end was."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from msgspec.structs import replace

from tollway.errors import JournalUnavailableError
from tollway.ledger.entry import EntryOpen, LedgerEntry, Outcome, Spent, UsageSource
from tollway.ledger.money import ENTRY_MAX_PICO
from tollway.ledger.price import PriceSheet
from tollway.ledger.rating import Charge, rate
from tollway.ledger.settlement import Settlement
from tollway.ledger.spent import merged, together
from tollway.ledger.usage import Usage
from tollway.providers.adapter import Answer
from tollway.services.inference.claims import Claims
from tollway.services.inference.exchange import Exchange
from tollway.services.live_catalog import LiveCatalog

_RETRY_INTERVAL_S = 1.0
_NOBODY = UsageSource.NONE  # naming a member of an enum takes 0.2 µs
_NO_USAGE = Usage(requests=0)
_NO_CHARGE = Charge(0, (), priced=True)
_UNPRICED = Charge(0, (), priced=False)


class Journal(Protocol):
    """What is needed of the journal; see `tollway.journal.writer.JournalWriter`."""

    def open(self, record: EntryOpen, /) -> None:
        """Note that a request is about to go upstream."""
        ...

    def close(self, record: LedgerEntry, /) -> None:
        """Write the entry of a request that ended."""
        ...

    def require_room(self) -> None:
        """See `tollway.journal.writer.JournalWriter.require_room`."""
        ...

    async def durable(self) -> None:
        """Wait until everything written is on disk."""
        ...


class Observer(Protocol):
    """Told of every entry: logs and metrics."""

    def ended(self, entry: LedgerEntry) -> None:
        """A request ended."""
        ...


class Recorder:
    """Writes both records of a request to the journal, and with the second settles what it holds."""

    def __init__(self, journal: Journal, live: LiveCatalog, observer: Observer) -> None:
        self._journal = journal
        self._live = live
        self._observer = observer
        self._unwritten: deque[LedgerEntry] = deque()
        self._retry: asyncio.TimerHandle | None = None

    def open(self, exchange: Exchange, *, beside: Claims | None = None) -> None:
        """Journal that the request goes upstream now, or goes on.

        Args:
            exchange: the request.
            beside: what a second attempt holds that runs at the same time.

        Raises:
            JournalUnavailableError: it cannot be recorded, so it must not be served.
        """
        call, principal, sheet, claims = exchange.call, exchange.principal, exchange.target.sheet, exchange.claims
        input_rate = sheet.rates.get("input") if sheet is not None else None
        price = input_rate.price if input_rate is not None else None
        opening = claims.opening(call.text_bytes, price) if claims is not None else ()
        if beside is not None:
            opening = merged((*opening, *beside.opening(call.text_bytes, price)))
        self._journal.open(
            EntryOpen(
                exchange.entry_id,
                exchange.inbound.request_id,
                exchange.admitted_at_us,
                principal.organization_id,
                principal.project_id,
                principal.key_id,
                exchange.inbound.surface.name,
                call.model,
                exchange.target.deployment.name,
                exchange.target.model,
                call.user_tag,
                call.tags,
                call.stream,
                call.text_bytes,
                price,
                input_rate.ref if input_rate is not None else "",
                opening,
                exchange.attempts,
                exchange.spent,
            )
        )
        if claims is not None:
            claims.opened = True
        if beside is not None:
            beside.opened = True

    def require_room(self) -> None:
        """Before a request is served that goes nowhere, and so is not opened.

        Raises:
            JournalUnavailableError: it could not be recorded, so it must not be served.
        """
        self._journal.require_room()

    def bill(self, exchange: Exchange, error: str, answer: Answer | None) -> None:
        """End an attempt that another one follows: what it held is settled, what it cost is added to `spent`.

        Args:
            exchange: the request.
            error: our error code.
            answer: our estimate of what the provider may bill; ``None`` if it bills nothing.
        """
        exchange.end_attempt(exchange.status, error)
        source = UsageSource.NONE if answer is None else UsageSource.ESTIMATED
        spent = self._spent(exchange, answer, source, counts=False)
        if answer is not None:
            exchange.spent = together(exchange.spent, spent)
            _note(exchange, spent)

    def settle(
        self,
        exchange: Exchange,
        *,
        outcome: Outcome,
        status: int,
        error: str = "",
        answer: Answer | None = None,
        source: UsageSource = UsageSource.NONE,
    ) -> LedgerEntry:
        """Rate the usage and journal the entry.

        Args:
            exchange: the request.
            outcome: how it ended.
            status: what the caller got.
            error: our error code.
            answer: what the provider said, or our estimate of it.
            source: who counted.

        Raises:
            JournalUnavailableError: it could not be written now; it is kept in memory and tried again.
        """
        call, principal = exchange.call, exchange.principal
        spent = self._spent(exchange, answer, source, counts=True)
        if len(exchange.attempts) > 1 and spent.usage_source is not UsageSource.NONE:
            _note(exchange, spent)
        if exchange.spent is not None:
            spent = together(exchange.spent, spent)
        entry = LedgerEntry(
            exchange.entry_id,
            exchange.inbound.request_id,
            exchange.admitted_at_us,
            principal.organization_id,
            principal.project_id,
            principal.key_id,
            exchange.inbound.surface.name,
            call.model,
            exchange.target.deployment.name,
            exchange.target.model,
            _model_answered(answer),
            call.user_tag,
            call.tags,
            call.stream,
            outcome,
            status,
            error,
            exchange.attempts,
            spent.usage,
            spent.usage_source,
            spent.priced,
            spent.charge,
            spent.lines,
            answer.provider_cost if answer is not None else None,
            exchange.elapsed_us(),
            exchange.first_byte_us,
            exchange.request_bytes,
            exchange.response_bytes,
            spent.settlements,
            exchange.saved,
        )
        exchange.settled = True
        exchange.charge = spent.charge
        self._observer.ended(entry)
        self._write(entry)
        return entry

    def _spent(self, exchange: Exchange, answer: Answer | None, source: UsageSource, *, counts: bool) -> Spent:
        """Rate the present attempt, and settle what it holds.

        Args:
            exchange: the request.
            answer: what the provider said, or our estimate of it.
            source: who counted.
            counts: whether the request counts in its limits of requests; it does once.
        """
        usage, charge = _NO_USAGE, _NO_CHARGE
        if answer is None or answer.usage is None or source is _NOBODY:
            source = _NOBODY
        else:
            usage = answer.usage
            sheet = exchange.target.sheet
            if answer.service_tier or answer.model != exchange.target.model:
                sheet = self._sheet(exchange, _model_answered(answer), answer.service_tier)
            charge = rate(usage, sheet) if sheet is not None else _UNPRICED
            if charge.total > ENTRY_MAX_PICO:  # absurd counts at an absurd price: flagged, never a wrong sum
                charge = _UNPRICED
        claims = exchange.claims
        settlements: tuple[Settlement, ...] = ()
        if claims is not None:
            if not claims.settled:
                settlements = claims.settle(usage, charge, source, requests=int(counts))
            elif counts:  # nothing followed the attempt that was billed last
                claims.count()
        return Spent(usage, source, charge.priced, charge.total, charge.lines, settlements)

    def _sheet(self, exchange: Exchange, model_answered: str, service_tier: str) -> PriceSheet | None:
        """The prices of the model and tier that answered; of the model that was asked if those have none."""
        if (not model_answered or model_answered == exchange.target.model) and not service_tier:
            return exchange.target.sheet
        deployment = exchange.target.deployment
        sheet = self._live.price_book.sheet(
            deployment.price_provider,
            model_answered or exchange.target.model,
            organization_id=exchange.principal.organization_id,
            provider_name=deployment.name,
            at=time.time(),
            model_sent=exchange.target.model,
            service_tier=service_tier,
        )
        return sheet or exchange.target.sheet

    async def enter(self, entries: Iterable[LedgerEntry]) -> None:
        """Journal the entries of what were no requests of their own; once it returns they are on disk.

        Raises:
            JournalUnavailableError: as `settle`.
        """
        for entry in entries:
            self._observer.ended(entry)
            self._write(entry)
        await self._journal.durable()

    def _write(self, entry: LedgerEntry) -> None:
        try:
            self._journal.close(entry)
        except JournalUnavailableError:
            self._unwritten.append(entry)
            self._schedule()
            raise

    def _schedule(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(_RETRY_INTERVAL_S, self.flush)

    def flush(self) -> None:
        """Try again to write what could not be written."""
        self._retry = None
        while self._unwritten:
            try:
                self._journal.close(self._unwritten[0])
            except JournalUnavailableError:
                self._schedule()
                return
            self._unwritten.popleft()


def _model_answered(answer: Answer | None) -> str:
    return answer.model.replace("\x00", "")[:512] if answer is not None else ""


def _note(exchange: Exchange, spent: Spent) -> None:
    """Note with the last attempt what it took."""
    last = replace(
        exchange.attempts[-1],
        input_tokens=spent.usage.input_total,
        output_tokens=spent.usage.output_total,
        charge=spent.charge,
        usage_source=spent.usage_source,
    )
    exchange.attempts = (*exchange.attempts[:-1], last)
