"""Settle what requests used: from the leases of their worker to their windows, in the transaction that stores them."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace
from sqlalchemy import delete

from tollway.data import conversation_locks
from tollway.data import quota_windows as store
from tollway.data.quota_events import raise_thresholds
from tollway.data.quotas import lock_rolling, quotas_of
from tollway.data.responses import fail_of_worker
from tollway.data.schema.idempotency_claim import IdempotencyClaim
from tollway.data.schema.worker import WorkerRow
from tollway.data.session import WriteSession
from tollway.ledger import exchange
from tollway.ledger.quota import Quota, WindowRef
from tollway.ledger.settlement import unpacked
from tollway.ledger.window import counts_since, window_at


class Sums(msgspec.Struct):
    """What some entries take from one window: out of the lease of their worker, and beside it."""

    leased: int = 0
    unleased: int = 0


Taken = Counter[tuple[bytes, bool]]
"""Packed windows, and whether they were leased → what is taken from each (`tollway.ledger.settlement.Settlement`)."""


def sums_of(taken: Taken, *, worker_known: bool) -> dict[WindowRef, Sums]:
    """What is taken from each window; nothing of it is leased if nobody knows whose lease it was.

    Raises:
        msgspec.DecodeError: an entry names windows that cannot be read.
    """
    found: defaultdict[WindowRef, Sums] = defaultdict(Sums)
    for (windows, leased), amount in taken.items():
        for window in unpacked(windows):
            if leased and worker_known:
                found[window].leased += amount
            else:
                found[window].unleased += amount
    return found


async def settle(session: WriteSession, worker_id: str, sums: Mapping[WindowRef, Sums]) -> None:
    """Charge the windows, and raise the events of the thresholds that are crossed.

    Args:
        session: within the transaction that stores the entries. Locks windows, so it comes last there.
        worker_id: whose leases they came out of.
        sums: from entries that are new to the database.
    """
    if not sums:
        return
    quotas = await quotas_of(session, {ref.quota_id for ref in sums})
    await lock_rolling(session, quotas.values())
    await store.make(session, {ref: _end_us(ref, quotas.get(ref.quota_id)) for ref in sums})
    windows = await store.lock(session, {ref: counts_since(quotas.get(ref.quota_id), ref.start_us) for ref in sums})
    leases = await store.leases_of(session, worker_id, [ref for ref in sums if sums[ref].leased])
    for ref, taken in sums.items():
        state = windows[ref].state
        if taken.leased:
            state, leases[ref] = exchange.settle(state, leases.get(ref, exchange.LeaseState()), taken.leased)
        state = replace(state, settled=state.settled + taken.unleased)
        windows[ref] = replace(windows[ref], state=state)
    announced = await raise_thresholds(session, windows, quotas, now_us=time.time_ns() // 1_000)
    await store.save(session, list(({ref: windows[ref] for ref in sums} | announced).values()))
    await store.save_leases(session, worker_id, leases)


async def release(session: WriteSession, worker_id: str) -> int:
    """Return what a worker that is gone did not spend, and forget the worker. Changes nothing the second time.

    Args:
        session: within a transaction that has locked no window yet.
        worker_id: its journal is in the ledger, or given up.

    Returns:
        How many leases it had.
    """
    await session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))  # first, as an exchange locks it first
    windows = await store.lock_of_worker(session, worker_id)
    leases = await store.take_leases(session, worker_id, windows)
    returned = [
        replace(windows[ref], state=exchange.release(windows[ref].state, lease)) for ref, lease in leases.items()
    ]
    await store.save(session, returned)
    of_worker = IdempotencyClaim.worker_id == worker_id
    await session.execute(delete(IdempotencyClaim).where(of_worker, IdempotencyClaim.status.is_(None)))
    await conversation_locks.free_of_worker(session, worker_id)
    await fail_of_worker(session, worker_id, "The worker that ran it is gone.")
    return len(leases)


def _end_us(ref: WindowRef, quota: Quota | None) -> int:
    """When the window ends; of a quota that was deleted at once: nothing but the purge will look at it."""
    if quota is None:
        return ref.start_us
    return window_at(quota, ref.start_us)[1]
