"""Exchange leases with the database: one short transaction takes over what a worker has and grants what it asks for."""

import asyncio
import math
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from tollway.constants import LEASE_TIMEOUT_S, RECOVERY_S
from tollway.data import quota_windows as store
from tollway.data.changes import Change, announce
from tollway.data.quota_events import raise_thresholds
from tollway.data.quotas import lock_rolling, quotas_of
from tollway.data.session import Database, WriteSession
from tollway.data.timeline import Timeline, known_timeline
from tollway.data.workers import Presence, show_worker
from tollway.errors import DatabaseUnavailableError
from tollway.ledger.exchange import NOTHING, LeaseState, WindowState, exchange
from tollway.ledger.lease import Ask, Grant
from tollway.ledger.quota import Mode, Period, Quota, WindowRef
from tollway.ledger.window import EPOCH, counts_since
from tollway.services.database_clock import DatabaseClock, running_us

_RECALL_INTERVAL_S = 1.0
"""A quota's leases are wanted back once; the others go on giving back for longer than this."""
_MADE_MAX = 10_000
"""Windows that are remembered to exist: about 5 MB."""


class Exchanged(msgspec.Struct, frozen=True):
    """What an exchange brought.

    Attributes:
        grants: one for each ask.
        workers: workers that live.
        recovering: the database may have forgotten grants: nothing was granted, what workers have was taken over.
        timeline: the database's; another one than before may have forgotten what this worker has.
    """

    grants: Sequence[Grant]
    workers: int
    recovering: bool
    timeline: Timeline


class LeaseExchange:
    """Exchanges of one worker.

    Attributes:
        clock: set by each exchange.
    """

    def __init__(self, database: Database, worker_id: str, clock: DatabaseClock) -> None:
        """Args: database: with connections of its own, so that nothing else holds an exchange up."""
        self._database = database
        self._worker_id = worker_id
        self._host = platform.node()
        self._recalled_s: dict[tuple[str, str], float] = {}
        self._made: set[WindowRef] = set()
        self.clock = clock

    async def exchange(self, asks: Sequence[Ask]) -> Exchanged:
        """Tell what this worker has and get what it asks for; without asks only show that it lives.

        Raises:
            DatabaseUnavailableError: the database did not answer in time. Whether the exchange happened is not known,
                and need not be: the next one settles it.
        """
        asks = sorted(asks, key=lambda ask: ask.window.start_us)  # an old slot gives back what a new one may get
        try:
            async with asyncio.timeout(LEASE_TIMEOUT_S), self._database.write() as session, session.begin():
                presence, timeline = await self._show(session)
                recovering = timeline.since is not None and presence.now - timeline.since < timedelta(
                    seconds=RECOVERY_S
                )
                grants = await self._grant(session, asks, presence, recovering=recovering) if asks else []
        except BaseException as error:  # whether it was committed is not known, also when it was cancelled
            self._made.clear()
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailableError("The database took too long.", next_step="Try again shortly.") from error
            raise
        self._remember(asks)
        return Exchanged(grants, presence.workers, recovering, timeline)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def _show(self, session: WriteSession) -> tuple[Presence, Timeline]:
        _ = await session.connection()  # what opening one takes would blur the clock
        before_us = running_us()
        presence = await show_worker(session, self._worker_id, self._host)
        self.clock.measured(_epoch_us(presence.now), before_us=before_us, after_us=running_us())
        return presence, await known_timeline(session, presence.timeline)

    async def _grant(
        self, session: WriteSession, asks: Sequence[Ask], presence: Presence, *, recovering: bool
    ) -> Sequence[Grant]:
        quotas = await quotas_of(session, {ask.window.quota_id for ask in asks})
        await lock_rolling(session, quotas.values())
        windows = await self._lock(session, asks, quotas)
        leases = await store.leases_of(session, self._worker_id, [ask.window for ask in asks])
        slots, grants = _Slots(windows, quotas), []
        for ask in asks:
            ref, quota = ask.window, quotas.get(ask.window.quota_id)
            stands = quota is not None and quota.generation == ref.generation
            state, leases[ref], grant = exchange(
                windows[ref].state,
                leases.get(ref, LeaseState()),
                ask,
                amount=_amount(quota, presence.now) if quota is not None and stands else 0,
                workers=presence.workers,
                recovering=recovering,
                others=slots.others(ref),
            )
            windows[ref] = replace(windows[ref], state=state)
            grants.append(grant)
        changed = {ask.window: windows[ask.window] for ask in asks}
        refused = [ask.window for ask in asks if ask.refused]
        if refused:
            now_us = _epoch_us(presence.now)
            changed |= await raise_thresholds(session, windows, quotas, now_us=now_us, refused=refused)
        await store.save_all(session, list(changed.values()), self._worker_id, leases)
        await self._recall(session, asks, grants)
        return grants

    async def _lock(
        self, session: WriteSession, asks: Sequence[Ask], quotas: Mapping[str, Quota]
    ) -> dict[WindowRef, store.Window]:
        """The windows, and those that count with them. They are made if this worker never had an answer for them."""
        await store.make(session, {ask.window: ask.end_us for ask in asks if ask.window not in self._made})
        windows = await store.lock(
            session, {ask.window: counts_since(quotas.get(ask.window.quota_id), ask.window.start_us) for ask in asks}
        )
        if any(ask.window not in windows for ask in asks):  # a failover forgot one: next time all are made
            raise DatabaseUnavailableError("The database has lost windows of quotas.", next_step="Try again.")
        return windows

    def _remember(self, asks: Sequence[Ask]) -> None:
        """What was committed needs not be made again."""
        if len(self._made) > _MADE_MAX:
            self._made.clear()
        self._made.update([ask.window for ask in asks])

    def recalls(self, quota_id: str, subject: str) -> bool:
        """Whether it is this worker that wants the leases of others back."""
        return time.monotonic() - self._recalled_s.get((quota_id, subject), -math.inf) < _RECALL_INTERVAL_S

    async def _recall(self, session: WriteSession, asks: Sequence[Ask], grants: Sequence[Grant]) -> None:
        """Ask the other workers to give back what a waiting request lacks."""
        now_s = time.monotonic()
        self._recalled_s = {key: at_s for key, at_s in self._recalled_s.items() if now_s - at_s < _RECALL_INTERVAL_S}
        for ask, grant in zip(asks, grants, strict=True):
            short = grant.granted - ask.have < ask.waiting
            quota_id, subject = ask.window.quota_id, ask.window.subject
            if short and grant.elsewhere > 0 and not self.recalls(quota_id, subject):
                self._recalled_s[quota_id, subject] = now_s
                await announce(session, Change("recall", quota_id, subject.encode() or None))


def _amount(quota: Quota, now: datetime) -> int | None:
    if quota.paused or quota.mode is Mode.SOFT:
        return None
    return quota.amount_at(now.timestamp())


class _Slots:
    """The windows of each subject of the rolling quotas, which count together."""

    def __init__(self, windows: Mapping[WindowRef, store.Window], quotas: Mapping[str, Quota]) -> None:
        self._windows = windows
        self._quotas = {id_: quota for id_, quota in quotas.items() if quota.period is Period.ROLLING}
        self._of: defaultdict[WindowRef, list[WindowRef]] = defaultdict(list)
        for ref in windows:
            if ref.quota_id in self._quotas:
                self._of[replace(ref, start_us=0)].append(ref)

    def others(self, ref: WindowRef) -> WindowState:
        """The sum over the other slots that count with this one: those before, and those that were leased ahead."""
        quota = self._quotas.get(ref.quota_id)
        if quota is None:
            return NOTHING
        first_us = counts_since(quota, ref.start_us)
        slots = (slot for slot in self._of[replace(ref, start_us=0)] if slot.start_us >= first_us and slot != ref)
        states = [self._windows[slot].state for slot in slots]
        return WindowState(sum(state.granted for state in states), sum(state.settled for state in states))


def _epoch_us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
