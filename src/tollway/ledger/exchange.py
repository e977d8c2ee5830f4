"""The database's side of a lease as arithmetic: what an exchange, a settlement and a release make of its rows.

Why it is so: docs/adr/0010-budgets-and-limits-by-leases.md. The callers lock the rows, and write what comes back. Two
things hold after each step: ``window.granted`` is the sum of ``granted - spent`` over the leases of the window, and no
lease has ``spent > granted``. So what is settled and what may still be spent never counts for less than it is.
"""

import msgspec
from msgspec.structs import replace

from tollway.ledger.lease import Ask, Grant, addition


class WindowState(msgspec.Struct, frozen=True, gc=False):
    """A row of ``quota_window``: see there."""

    granted: int = 0
    settled: int = 0


class LeaseState(msgspec.Struct, frozen=True, gc=False):
    """A row of ``quota_lease``: see there. A lease that has no row yet is all zeros."""

    granted: int = 0
    spent: int = 0
    held: int = 0
    sequence: int = 0


NOTHING = WindowState()


def exchange(
    window: WindowState,
    lease: LeaseState,
    ask: Ask,
    *,
    amount: int | None,
    workers: int,
    recovering: bool,
    others: WindowState = NOTHING,
) -> tuple[WindowState, LeaseState, Grant]:
    """Take over what a worker has, then grant it what is left.

    An exchange that arrives after a later one of the same worker changes nothing and grants nothing.

    Args:
        window: the window's row.
        lease: the worker's lease of it.
        ask: the worker's part.
        amount: what binds the window now; ``None`` if nothing does (soft or paused): then all that is asked is granted.
        workers: workers that live.
        recovering: whether the database may have forgotten its last grants: then what workers have is taken over,
            and nothing granted.
        others: of a rolling quota the sum over the other slots that count with this one.

    Returns:
        The rows as they are to be stored, and the answer.
    """
    late = ask.sequence <= lease.sequence
    if not late:
        # What the ledger has is as much a fact as what the worker says: its ask may be older than its last entry.
        spent = max(ask.spent, lease.spent)
        have = max(ask.have, spent)
        settled = spent - lease.spent
        window = WindowState(window.granted + have - lease.granted - settled, window.settled + settled)
        lease = LeaseState(have, spent, ask.held, ask.sequence)
    added = 0 if late or recovering else _added(window, others, ask, amount, workers)
    if added:
        window = replace(window, granted=window.granted + added)
        lease = replace(lease, granted=lease.granted + added)
    used = window.granted + window.settled + others.granted + others.settled
    return (
        window,
        lease,
        Grant(
            window=ask.window,
            granted=ask.have if late else lease.granted,
            left=0 if amount is None else amount - used,
            elsewhere=window.granted - (lease.granted - lease.spent) + others.granted,
            settled=window.settled + others.settled,
            amount=amount,
            spent=lease.spent,
        ),
    )


def settle(window: WindowState, lease: LeaseState, amount: int) -> tuple[WindowState, LeaseState]:
    """Move what an ended request used from the worker's lease to what is settled.

    More than was granted (a request used more than it held, or a failover forgot the grant) counts as granted: else the
    window would seem to have that much left until the worker's next exchange.
    """
    spent = lease.spent + amount
    overdrawn = max(spent - lease.granted, 0)
    return (
        WindowState(window.granted + overdrawn - amount, window.settled + amount),
        replace(lease, granted=lease.granted + overdrawn, spent=spent),
    )


def release(window: WindowState, lease: LeaseState) -> WindowState:
    """Return what a dead worker did not spend; its lease's row is to be deleted. Its journal must be in the ledger."""
    return replace(window, granted=window.granted - (lease.granted - lease.spent))


def _added(window: WindowState, others: WindowState, ask: Ask, amount: int | None, workers: int) -> int:
    if amount is None:
        return max(ask.first, ask.waiting) + ask.want
    left = amount - window.granted - window.settled - others.granted - others.settled
    return addition(ask, left=left, workers=workers)
