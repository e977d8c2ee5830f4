"""What this worker has leased of every budget and limit, kept true in the background; one a worker.

Why it is so: docs/adr/0010-budgets-and-limits-by-leases.md. The hot path only reads `LeaseKeeper.book`, finds its lease
with `LeaseKeeper.lease`, and does arithmetic on it; whoever lacks something waits in `LeaseKeeper.wait`.
"""

from collections.abc import Sequence

from tollway.data.changes import Change
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Quota
from tollway.ledger.quota_book import QuotaBook


class LeaseKeeper:
    """Leases of one worker.

    Attributes:
        available: whether the last exchange reached the database.
        workers: workers that live, this one among them, as of the last exchange.
    """

    available: bool
    workers: int

    @property
    def book(self) -> QuotaBook:
        """All budgets and limits.

        Raises:
            NotReadyError: they were never read, because the database was away ever since this worker started.
        """
        raise NotImplementedError

    def now_us(self) -> int:
        """The database's clock, in epoch microseconds: what windows follow. Never waits."""
        raise NotImplementedError

    def lease(self, quota: Quota, subject: str) -> Lease:
        """The lease of the present window, empty if it is new.

        Raises:
            OverloadedError: too many leases are in memory.
        """
        raise NotImplementedError

    async def wait(self, lacking: Sequence[tuple[Lease, int]], *, timeout_s: float, key: str = "") -> None:
        """Wait until it makes sense to try again: an answer of the database came that was asked for after this call
        began, or so much was freed in this worker that all of `lacking` fits, or the time is over.

        The caller then holds at once, before its next ``await``; whoever waits longer is woken first, round robin among
        `key`. `Lease.waiting` counts the waiters meanwhile.

        Args:
            lacking: the leases that did not suffice (or had waiters), each with all that the request needs to hold of
                it, not only what is missing.
            timeout_s: how long at the most.
            key: whose request it is.
        """
        raise NotImplementedError

    def freed(self, lease: Lease) -> None:
        """Something of the lease became free while ``lease.waiting``: wake whom it suffices for."""
        raise NotImplementedError

    def low(self, lease: Lease) -> None:
        """``lease.free < lease.low``: ask for more in the background."""
        raise NotImplementedError

    def refused(self, lease: Lease) -> None:
        """A request was refused for want of this: the next exchange tells, which raises the event of 100 percent."""
        raise NotImplementedError

    async def follow(self, change: Change) -> None:
        """Heed an announcement: read changed quotas again, give back what others want.

        Raises:
            DatabaseUnavailableError: the quotas could not be read; they stay as they were.
        """
        raise NotImplementedError

    async def run(self) -> None:
        """Exchange in the background until cancelled."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Give everything back that nothing holds: the worker stops."""
        raise NotImplementedError
