"""What this worker has leased of every budget and limit, kept true in the background; one a worker.

Why it is so: docs/adr/0010-budgets-and-limits-by-leases.md. The hot path only reads `LeaseKeeper.book`, finds its lease
with `LeaseKeeper.lease`, and does arithmetic on it; whoever lacks something waits in `LeaseKeeper.wait`.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice

import structlog

from tollway.constants import LEASES_MAX, WORKER_HEARTBEAT_S
from tollway.data.changes import ALL, Change
from tollway.data.timeline import Timeline
from tollway.errors import DatabaseUnavailableError, NotReadyError
from tollway.ledger.lease import Ask, Lease
from tollway.ledger.quota import Quota
from tollway.ledger.quota_book import QuotaBook
from tollway.ledger.window import SECOND_US
from tollway.services.leases.bunch import Bunch
from tollway.services.leases.exchange import Exchanged, LeaseExchange
from tollway.services.leases.line import LeaseLine
from tollway.services.leases.shelf import LeaseShelf, Parts
from tollway.services.leases.upkeep import NEVER, Upkeep

ASKS_MAX = 100
"""Leases in one exchange: more are several short transactions."""
RESTORED_MAX = 1_000
"""Leases in one exchange after a failover: all are to be told before anything is granted again."""
_LOOK_INTERVAL_S = 0.1
_LOOKS_MAX = 500
"""Leases looked at each time, in turn: less than a millisecond."""
_RECALL_LOOK_INTERVAL_S = 0.02
"""While others want them, leases are looked at this often: what is freed here is waited for there."""
_RETRY_S = 0.5
"""Pause between attempts to reach the database."""
_AWAY_AFTER_FAILURES = 2

LoadQuotas = Callable[[Mapping[str, Quota] | None, str], Awaitable[Mapping[str, Quota] | None]]

_log = structlog.get_logger(__name__)


class LeaseKeeper:
    """Leases of one worker.

    Attributes:
        now_us: the database's clock, in epoch microseconds: what windows follow. Never waits.
        available: whether the last exchange reached the database, and it grants: not for a while after a failover.
        workers: workers that live, this one among them, as of the last exchange.
    """

    def __init__(self, exchange: LeaseExchange, load: LoadQuotas) -> None:
        """Args: load: see `tollway.services.quota_load.QuotaLoad`."""
        self._exchange = exchange
        self._load = load
        self._book: QuotaBook | None = None
        self._shelf = LeaseShelf(exchange.clock, most=LEASES_MAX)
        self._line = LeaseLine()
        self._aside: set[Bunch] = set()
        self._due: dict[Lease, None] = {}
        self._recalled: dict[Lease, None] = {}
        self._raises: list[tuple[float, str]] = []
        self._stir = asyncio.Event()
        self._round: Iterator[Upkeep] = iter(())
        self._looked_s = self._exchanged_s = -math.inf
        self._sequence = 0
        self._failures = 0
        self._timeline: Timeline | None = None
        self._recovering = False
        self.now_us = exchange.clock.now_us
        self.available = True
        self.workers = 1

    @property
    def book(self) -> QuotaBook:
        """All budgets and limits.

        Raises:
            NotReadyError: they were never read, because the database was away ever since this worker started.
        """
        if self._book is None:
            raise NotReadyError(
                "This worker has not read the budgets yet: the database is away.",
                next_step="Try again shortly.",
                headers=(("retry-after", "2"),),
            )
        return self._book

    def lease(self, quota: Quota, subject: str) -> Lease:
        """The lease of the present window, empty if it is new. Look it up anew after each wait: the window may be over.

        Args:
            quota: from the present `book`; one that binds.
            subject: `Quota.subject` of the request.

        Raises:
            OverloadedError: too many leases are in memory.
        """
        return self.leases(Parts(((quota, subject),))).leases[0]

    def leases(self, parts: Parts) -> Bunch:
        """As `lease`, of several quotas with their subjects at once."""
        now_us = self.now_us()
        if now_us < parts.until_us and parts.version == self._shelf.version:
            return parts.present
        present = self._shelf.present
        leases = []
        for quota, subject in parts.parts:
            lease = present.get((quota.id, subject))
            leases.append(lease if lease is not None and now_us < lease.end_us else self._turn(quota, subject))
        parts.found(leases, self._shelf.version)
        return parts.present

    async def wait(self, lacking: Sequence[tuple[Lease, int]], *, timeout_s: float, key: str = "") -> None:
        """Wait until it makes sense to try again.

        That is when an answer of the database came that was asked for after this call began, or so much was freed in
        this worker that all of `lacking` fits, or a window ended, or the time is over; at once while the database is
        away (see `available`). The caller then looks its leases up and holds, before its next ``await``.

        Whoever has waited longest is woken first, round robin among `key`. `Lease.waiting` counts those who wait.

        Args:
            lacking: the leases that did not suffice (or had waiters), each with all that the request needs to hold of
                it, not only what is missing.
            timeout_s: how long at the most.
            key: whose request it is.
        """
        if not self.available or any(not self._shelf.has(lease) for lease, _ in lacking):
            await asyncio.sleep(0)
            return
        self.put_back()
        waiter = self._line.join(lacking, key)
        for lease, _ in lacking:
            self._want(lease)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await waiter.woken
        finally:
            self._line.leave(waiter)

    def freed(self, lease: Lease) -> None:
        """Something of the lease became free while ``lease.waiting``: wake whom it suffices for."""
        self._line.wake_fitting(lease)

    def set_aside(self, bunch: Bunch, cost: int, tokens: Sequence[int]) -> None:
        """Let the requests of a route take from their bunch, not from each lease, for a while: see `Bunch`."""
        bunch.set_aside(cost, tokens)
        if bunch.is_aside:
            self._aside.add(bunch)

    def put_back(self) -> None:
        """Let the leases have all that is free of them, and know all that was used."""
        for bunch in self._aside:
            bunch.put_back()
        self._aside.clear()

    def low(self, lease: Lease) -> None:
        """``lease.free < lease.low``: ask for more in the background."""
        lease.ask_below(NEVER)  # until the answer
        self._want(lease)

    def refused(self, lease: Lease) -> None:
        """A request was refused for want of this: the next exchange tells, which raises the event of 100 percent."""
        upkeep = self._shelf.upkeep.get(lease)
        if upkeep is not None and upkeep.refuse():
            self._want(lease)

    async def follow(self, change: Change) -> None:
        """Heed an announcement: read changed quotas again, give back what others want.

        Raises:
            DatabaseUnavailableError: the quotas could not be read; they stay as they were.
        """
        if change.noun == "recall":
            self._give_back(change.id, change.detail.decode() if change.detail else "")
        elif change.noun in {ALL, "quota"}:
            quotas = await self._load(self._book.quotas if self._book is not None else None, change.id)
            if quotas is not None:
                self._take_over(QuotaBook(quotas.values()))

    async def run(self) -> None:
        """Exchange in the background until cancelled."""
        while True:
            self.put_back()
            self._look()
            asks = self._asks()
            is_due = self._failures or time.monotonic() - self._exchanged_s >= WORKER_HEARTBEAT_S
            if asks or is_due or not self.available:
                await self._ask(asks)
            if self.available or (self._recovering and self._due):
                await self._pause()
            else:
                await asyncio.sleep(_RETRY_S)

    async def aclose(self) -> None:
        """Give back everything that nothing holds: the worker stops.

        What the database cannot take now it gets when the journal is drained.
        """
        self.put_back()
        for upkeep in self._shelf.upkeep.values():
            upkeep.end()
            self._due[upkeep.lease] = None
        self.available = True
        while self.available and (asks := self._asks()):
            await self._ask(asks)
        await self._exchange.aclose()

    def _want(self, lease: Lease) -> None:
        if lease in self._shelf.upkeep:
            self._due[lease] = None
            self._stir.set()

    def _turn(self, quota: Quota, subject: str) -> Lease:
        """Begin a window. Whoever waits in the one before waits no longer."""
        lease, before = self._shelf.turn(quota, subject)
        if before is not None:
            self._end(before, over_us=self.now_us())
        return lease

    def _end(self, lease: Lease, *, over_us: int = 0) -> None:
        self._shelf.end(lease, over_us=over_us)
        self._line.wake_all([lease], until=self._line.last())
        self._want(lease)

    def _take_over(self, book: QuotaBook) -> None:
        """Let the leases follow changed quotas."""
        self.put_back()
        before, self._book = self._book, book
        now_s = self.now_us() / SECOND_US
        self._raises = sorted(
            (quota.raised_until, id_)
            for id_, quota in book.quotas.items()
            if quota.raised_until is not None and quota.raised_until > now_s
        )
        if before is None:
            return
        changed = {id_ for id_, quota in before.quotas.items() if book.quotas.get(id_) != quota}
        for upkeep in self._shelf.of(changed):
            lease = upkeep.lease
            quota = book.quotas.get(lease.ref.quota_id)
            upkeep.changed()
            if quota is not None and _continues(lease.quota, quota):
                lease.quota = quota
                self._want(lease)
            else:
                self._end(lease)
        self._withdraw(changed)

    def _withdraw(self, quota_ids: set[str]) -> None:
        """What is free was granted of another amount: it goes back at once, and is granted anew of the present one."""
        for upkeep in self._shelf.of(quota_ids):
            upkeep.lease.give_back(0)
            self._want(upkeep.lease)

    def _give_back(self, quota_id: str, subject: str) -> None:
        """Another worker lacks what may be free here."""
        lease = self._shelf.present.get((quota_id, subject))
        if lease is not None and not self._exchange.recalls(quota_id, subject):
            self._shelf.upkeep[lease].recall(self.now_us())
            self._recalled[lease] = None
            self._want(lease)

    def _look(self) -> None:
        """Find leases that have a reason to ask."""
        now_us, now_s = self.now_us(), time.monotonic()
        while self._raises and self._raises[0][0] * SECOND_US <= now_us:
            self._withdraw({self._raises.pop(0)[1]})
        for lease in list(self._recalled):
            upkeep = self._shelf.upkeep.get(lease)
            if upkeep is None or upkeep.recalled_until_us <= now_us:
                del self._recalled[lease]
            elif upkeep.look(now_us):
                self._due[lease] = None
        if now_s - self._looked_s < _LOOK_INTERVAL_S:
            return
        self._looked_s = now_s
        looked = list(islice(self._round, _LOOKS_MAX))
        for upkeep in looked:
            if upkeep.lease in self._shelf.upkeep:  # it may have been forgotten since the round began
                self._look_at(upkeep, now_us)
        if len(looked) < _LOOKS_MAX:
            self._round = iter(list(self._shelf.upkeep.values()))

    def _look_at(self, upkeep: Upkeep, now_us: int) -> None:
        lease = upkeep.lease
        if not upkeep.ended and self._shelf.is_over(lease, now_us):
            self._end(lease, over_us=now_us)
        if upkeep.look(now_us):
            self._due[lease] = None
        elif upkeep.forgettable(now_us):
            self._shelf.forget(lease)
            self._due.pop(lease, None)
        elif (ahead := self._shelf.ahead(upkeep, now_us)) is not None:
            self._due[ahead] = None

    def _asks(self) -> list[Ask]:
        """The next exchange: leases that somebody waits for first, and last what may linger and need not."""
        now_us = self.now_us()
        ready = [lease for lease in self._due if self._shelf.upkeep[lease].ready_us() <= now_us]
        ready.sort(key=lambda lease: not lease.waiting)
        if ready:
            ready += [lease for lease in self._due if self._shelf.upkeep[lease].lingers(now_us)]
        self._sequence += 1
        asks = []
        for lease in ready[: RESTORED_MAX if self._recovering else ASKS_MAX]:
            first, total = self._line.needs(lease)
            upkeep = self._shelf.upkeep[lease]
            ask = upkeep.ask(self._sequence, first=first, total=total, now_us=now_us, giving_back=self.available)
            asks.append(ask)
            del self._due[lease]
        return asks

    async def _ask(self, asks: Sequence[Ask]) -> None:
        """One exchange; then wake whoever waited for it."""
        asked = [self._shelf.leases[ask.window] for ask in asks]
        until = self._line.last()
        self._exchanged_s = time.monotonic()
        try:
            self._answered(await self._exchange.exchange(asks))
        except Exception as error:  # noqa: BLE001 -- a worker that no longer exchanges would refuse every request
            self._failed(error)
            self._due |= dict.fromkeys(asked)
        self._line.wake_all(asked if self.available else list(self._shelf.upkeep), until=until)
        for lease in asked:
            if lease.waiting:
                self._due[lease] = None
                self._line.wake_fitting(lease)

    def _failed(self, error: Exception) -> None:
        """Take note of an exchange that failed; the second in a row says that the database is away.

        One may be ours: an event loop that stood still lets the time run out for an answer that is there, and a
        deadlock is solved by trying again.
        """
        self._failures += 1
        if self.available:
            known = isinstance(error, DatabaseUnavailableError)
            _log.warning("leases_not_exchanged", reason=str(error), exc_info=None if known else error)
        self.available = self.available and self._failures < _AWAY_AFTER_FAILURES

    def _answered(self, exchanged: Exchanged) -> None:
        now_us = self.now_us()
        self._failures = 0
        self.put_back()  # a lease that does not know what it spent would take the ledger's account for news
        for grant in exchanged.grants:
            self._shelf.upkeep[self._shelf.leases[grant.window]].answered(grant, now_us)
        if not self.available and not exchanged.recovering:
            _log.info("leases_exchanged_again")
        if self._timeline not in {None, exchanged.timeline}:
            _log.warning("leases_restored", reason="the database was promoted, and may have forgotten grants")
            self._due |= dict.fromkeys(self._shelf.upkeep)
        self._timeline = exchanged.timeline
        self._recovering = exchanged.recovering
        self.available = not exchanged.recovering
        self.workers = exchanged.workers

    async def _pause(self) -> None:
        """Until somebody wants something, or a lease that wants something is ready, or it is time to look."""
        now_us = self.now_us()
        pause_s = _RECALL_LOOK_INTERVAL_S if self._recalled else _LOOK_INTERVAL_S
        for lease in self._due:
            pause_s = min(pause_s, (self._shelf.upkeep[lease].ready_us() - now_us) / SECOND_US)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(pause_s, 0)):
                await self._stir.wait()
        self._stir.clear()


def _continues(before: Quota, after: Quota) -> bool:
    """Whether the windows of a changed quota are what they were."""
    return after.binds and (after.generation, after.time_zone) == (before.generation, before.time_zone)
