"""Leases as arithmetic: what a worker holds and spends of a window, and what a window grants it.

Why it is so: docs/adr/0010-budgets-and-limits-by-leases.md. Amounts are in the unit of the quota, whole numbers.
"""

import msgspec

from tollway.ledger.quota import Quota, WindowRef

_UNREACHED = 1 << 200
"""More than anything is."""


class Lease:
    """A worker's part of one window, in its memory.

    Attributes:
        quota: whose window it is; replaced when the quota changes.
        ref: the window.
        end_us: epoch microseconds at which the window ends.
        granted: all that was ever granted, less what was given back.
        spent: what ended requests used.
        free: what may be held next. Below zero after a request used more than it held.
        sequence: of the last exchange.
        low: with less free than this, more is asked for before anybody waits; see `ask_below`.
        waiting: requests that wait for it; while there are any, a request that has just come waits behind them. See
            `wait`.
        floor: with less free than this, a request may not just take its part: it lacks something, somebody waits, or
            more is to be asked for.
        beyond: what nobody uses or holds of the rest of the window, as far as this worker knows; see `Grant.elsewhere`.
        answer: the database's last answer, ``None`` before the first; see `answered`.
    """

    __slots__ = (
        "answer",
        "beyond",
        "end_us",
        "floor",
        "free",
        "granted",
        "low",
        "quota",
        "ref",
        "sequence",
        "spent",
        "waiting",
    )

    def __init__(self, quota: Quota, ref: WindowRef, end_us: int) -> None:
        self.quota = quota
        self.ref = ref
        self.end_us = end_us
        self.granted = 0
        self.spent = 0
        self.free = 0
        self.sequence = 0
        self.low = self.floor = 0
        self.waiting = 0
        self.beyond = 0
        self.answer: Grant | None = None

    @property
    def held(self) -> int:
        """What running requests hold: all that is neither free nor spent."""
        return self.granted - self.free - self.spent

    @property
    def remaining(self) -> int:
        """What of the window nobody uses or holds, as far as this worker knows."""
        return self.beyond + self.free

    def answered(self, answer: "Grant") -> None:
        """Remember the database's answer."""
        self.answer = answer
        self.beyond = answer.left + answer.elsewhere + answer.granted - self.granted

    def ask_below(self, low: int) -> None:
        """Set `low`."""
        self.low = low
        self._set_floor()

    def wait(self, change: int) -> None:
        """Count requests that begin to wait, or less than zero that end it."""
        self.waiting += change
        self._set_floor()

    def _set_floor(self) -> None:
        self.floor = _UNREACHED if self.waiting else max(self.low, 0)

    def hold(self, amount: int) -> bool:
        """Take `amount` for a request that begins, if it is free; whether it was."""
        if amount > self.free:
            return False
        self.free -= amount
        return True

    def settle(self, held: int, used: int) -> None:
        """End a request that held `held` and used `used` of it. Using more than was held is taken over as a fact."""
        self.spent += used
        self.free += held - used

    def give_back(self, keep: int) -> int:
        """Drop what is free beyond `keep`; the next exchange tells the database. Returns how much."""
        surplus = self.free - max(keep, 0)
        if surplus <= 0:
            return 0
        self.free -= surplus
        self.granted -= surplus
        self.beyond += surplus
        return surplus

    def regranted(self, *, asked_with: int, granted: int) -> None:
        """Take the answer of an exchange into account: `granted` was `asked_with` when it was asked.

        Whatever was given back, held or spent while the exchange ran is kept.
        """
        added = granted - asked_with
        self.granted += added
        self.free += added
        self.beyond -= added


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A worker's part in an exchange, for one window.

    Attributes:
        window: which.
        end_us: when it ends.
        have: `Lease.granted`, or what is spent and held where that is more: the database takes it over as a fact.
        held: `Lease.held`, to be shown.
        sequence: grows with each exchange of this lease; an exchange that arrives after a later one changes nothing.
        first: what the request that has waited longest lacks; nothing smaller helps. 0 if none waits.
        waiting: what all waiting requests lack together.
        want: what should be free beyond that, for requests to come.
        refused: whether a request was refused for want of it since the last exchange.
        spent: of a rate limit, `Lease.spent`: only the worker counts it. 0 for a budget, which the ledger counts.
    """

    window: WindowRef
    end_us: int
    have: int
    held: int
    sequence: int
    first: int = 0
    waiting: int = 0
    want: int = 0
    refused: bool = False
    spent: int = 0


class Grant(msgspec.Struct, frozen=True, gc=False):
    """The database's answer to an `Ask`.

    Attributes:
        window: which.
        granted: the new cumulative grant; `Ask.have` plus what was added.
        left: what is neither granted nor settled, after this grant.
        elsewhere: what other workers have leased and not spent, as far as the ledger knows.
        settled: what the ledger has of the window.
        amount: the quota's, at this time; ``None`` if it does not bind (soft or paused).
        spent: what of `granted` is in `settled`. A worker that had dropped the lease from its memory, once all was
            settled, goes on from here.
    """

    window: WindowRef
    granted: int
    left: int
    elsewhere: int
    settled: int
    amount: int | None
    spent: int = 0


def addition(ask: Ask, *, left: int, workers: int) -> int:
    """What to grant beyond `Ask.have`: never more than `left`.

    Waiting requests come first, but only if at least the first of them can be served: a part that helps nobody would
    be missing elsewhere. What is wanted for later gets an equal share of half of the rest, so that leases shrink as the
    window nears its end.

    Args:
        ask: what is asked.
        left: ``amount - granted - settled`` of the window, after `Ask.have` was taken over. May be negative.
        workers: workers that live.
    """
    if left <= 0 or left < ask.first:
        return 0
    needed = min(ask.waiting, left)
    return needed + min(ask.want, (left - needed) // (2 * max(workers, 1)))
