"""The requests of this worker that wait for leases: whoever has waited longest comes first, round robin among keys."""

import asyncio
import bisect
import itertools
from collections.abc import Iterable, Sequence

from tollway.ledger.lease import Lease


class Waiter:
    """One waiting request.

    Attributes:
        lacking: the leases it waits for, with all that it needs to hold of each.
        key: whose it is.
        place: its place in every line it stands in: the round of its key, then the order of coming.
        woken: done when it makes sense to try again.
    """

    __slots__ = ("key", "lacking", "place", "promised", "woken")

    def __init__(self, lacking: Sequence[tuple[Lease, int]], key: str, place: tuple[int, int]) -> None:
        self.lacking = lacking
        self.key = key
        self.place = place
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.promised = False


def _place(waiter: Waiter) -> tuple[int, int]:
    return waiter.place


class LeaseLine:
    """A line for each lease that anybody waits for; a request stands in that of each lease it lacks."""

    def __init__(self) -> None:
        self._lines: dict[Lease, list[Waiter]] = {}
        self._promised: dict[Lease, int] = {}
        self._numbers = itertools.count()
        self._round = 0
        self._round_of: dict[str, int] = {}
        self._waiters_of: dict[str, int] = {}

    def join(self, lacking: Sequence[tuple[Lease, int]], key: str) -> Waiter:
        """Stand in line: behind one request of each other key, for each of its own that waits already."""
        round_ = max(self._round, self._round_of.get(key, -1) + 1)
        self._round_of[key] = round_
        self._waiters_of[key] = self._waiters_of.get(key, 0) + 1
        waiter = Waiter(lacking, key, (round_, next(self._numbers)))
        for lease, _ in lacking:
            bisect.insort(self._lines.setdefault(lease, []), waiter, key=_place)
            lease.wait(+1)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Leave all lines: to try again, or because the time is over."""
        if waiter.promised:
            self._promise(waiter, -1)
        for lease, _ in waiter.lacking:
            lease.wait(-1)
            line = self._lines[lease]
            del line[bisect.bisect_left(line, waiter.place, key=_place)]
            if not line:
                del self._lines[lease]
        self._waiters_of[waiter.key] -= 1
        if not self._waiters_of[waiter.key]:
            del self._waiters_of[waiter.key], self._round_of[waiter.key]

    def needs(self, lease: Lease) -> tuple[int, int]:
        """What the first in line needs to hold of a lease, and what all in it need together."""
        line = self._lines.get(lease)
        if line is None:
            return 0, 0
        amounts = [amount for waiter in line for of, amount in waiter.lacking if of is lease]
        return amounts[0], sum(amounts)

    def last(self) -> int:
        """The number up to which waiters have come so far; see `wake_all`."""
        return next(self._numbers)

    def wake_fitting(self, lease: Lease) -> None:
        """Wake those for whom everything they lack is free now. Nobody overtakes one who lacks this lease."""
        for waiter in self._lines.get(lease, ()):
            if waiter.woken.done():
                continue
            if not self._fits(lease, waiter):
                return
            if all(self._fits(of, waiter) for of, _ in waiter.lacking):
                self._promise(waiter, +1)
                self._wake(waiter)

    def wake_all(self, leases: Iterable[Lease], *, until: int) -> None:
        """Wake all who wait for one of the leases and had come when `last` gave `until`, in their order."""
        waiters = {waiter for lease in leases for waiter in self._lines.get(lease, ()) if waiter.place[1] < until}
        for waiter in sorted(waiters, key=_place):
            if not waiter.woken.done():
                self._wake(waiter)

    def _fits(self, lease: Lease, waiter: Waiter) -> bool:
        free = lease.free - self._promised.get(lease, 0)
        return all(amount <= free for of, amount in waiter.lacking if of is lease)

    def _promise(self, waiter: Waiter, sign: int) -> None:
        """What was freed is one waiter's until it has resumed, lest it be promised to the next one too."""
        waiter.promised = sign > 0
        for lease, amount in waiter.lacking:
            promised = self._promised.get(lease, 0) + sign * amount
            if promised:
                self._promised[lease] = promised
            else:
                self._promised.pop(lease, None)

    def _wake(self, waiter: Waiter) -> None:
        self._round = max(self._round, waiter.place[0])
        waiter.woken.set_result(None)
