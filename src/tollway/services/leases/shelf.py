"""The leases in a worker's memory: which is that of the present window, which were before, which comes next."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tollway.errors import OverloadedError
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Quota, WindowRef
from tollway.ledger.window import FOREVER_US, named_window
from tollway.services.database_clock import DatabaseClock
from tollway.services.leases.bunch import Bunch
from tollway.services.leases.upkeep import Demand, Upkeep

_AHEAD_US = 2_000_000
"""The next window is leased so long before it begins; of short windows, half their length before."""
_STEP_US = 5_000_000
"""A present window that begins later than this from now: the database's clock was put back."""
_SHARE = 4
"""The last such part of all leases is for organizations that have less than such a part: nobody who names new end users
all the time keeps the others from beginning."""


class Parts:
    """Some quotas, each with a subject, and the leases of their present windows as they were last looked up.

    Attributes:
        parts: the quotas with their subjects.
        present: their leases.
        until_us: when the first of the windows ends, in epoch microseconds.
        version: of the shelf that the leases were found on.
    """

    __slots__ = ("parts", "present", "until_us", "version")

    def __init__(self, parts: Sequence[tuple[Quota, str]]) -> None:
        self.parts = parts
        self.present = Bunch()
        self.until_us = 0
        self.version = -1

    def found(self, leases: Sequence[Lease], version: int) -> None:
        """Remember the leases that a shelf of this version has."""
        self.present, self.version = Bunch(leases), version
        self.until_us = min([lease.end_us for lease in leases], default=0)


class LeaseShelf:
    """All leases of a worker.

    Attributes:
        version: grows when `present` changes.
        present: ``(quota id, subject)`` → lease of the present window.
        leases: window → its lease, also of windows that are over or to come.
        upkeep: lease → its dealings with the database.
    """

    def __init__(self, clock: DatabaseClock, *, most: int) -> None:
        self._clock = clock
        self._most = most
        self._demands: dict[tuple[str, str], Demand] = {}
        self._owned: Counter[str] = Counter()
        self.version = 0
        self.present: dict[tuple[str, str], Lease] = {}
        self.leases: dict[WindowRef, Lease] = {}
        self.upkeep: dict[Lease, Upkeep] = {}

    def turn(self, quota: Quota, subject: str) -> tuple[Lease, Lease | None]:
        """The lease of the window that has just begun, and the one that is over.

        Raises:
            OverloadedError: no more leases can be held in memory.
        """
        now_us = self._clock.now_us()
        lease = self._at(quota, subject, now_us, now_us)
        before = self.present.get((quota.id, subject))
        self.present[quota.id, subject] = lease
        self.version += 1
        self.upkeep[lease].ended = False
        return lease, before if before is not lease else None

    def has(self, lease: Lease) -> bool:
        """Whether requests may begin on it."""
        upkeep = self.upkeep.get(lease)
        return upkeep is not None and not upkeep.ended

    def is_over(self, lease: Lease, now_us: int) -> bool:
        """Whether its window is not, or by a clock that was put back no longer, the present or the next one."""
        return lease.end_us <= now_us or lease.ref.start_us > now_us + _STEP_US

    def end(self, lease: Lease, *, over_us: int = 0) -> None:
        """No request begins on it any more. Args: as `Upkeep.end`."""
        self.upkeep[lease].end(over_us=over_us)
        key = lease.ref.quota_id, lease.ref.subject
        if self.present.get(key) is lease:
            del self.present[key]
            self.version += 1

    def ahead(self, upkeep: Upkeep, now_us: int) -> Lease | None:
        """The lease of the next window, if it is time to make it: the present one is used and about to end."""
        lease = upkeep.lease
        length_us = lease.end_us - lease.ref.start_us
        if upkeep.ended or not upkeep.used(now_us) or lease.end_us - now_us > min(_AHEAD_US, length_us // 2):
            return None
        if now_us < lease.ref.start_us or lease.end_us >= FOREVER_US or self._is_full(lease.quota):
            return None
        known = len(self.leases)
        following = self._at(lease.quota, lease.ref.subject, lease.end_us, now_us)
        return following if len(self.leases) > known else None

    def forget(self, lease: Lease) -> None:
        """Let a lease go."""
        self.end(lease)
        del self.upkeep[lease], self.leases[lease.ref]
        self._owned[lease.quota.organization_id] -= 1
        key = lease.ref.quota_id, lease.ref.subject
        if key not in self.present:
            self._demands.pop(key, None)

    def of(self, quota_ids: set[str]) -> Iterator[Upkeep]:
        """All leases of these quotas."""
        return iter([upkeep for lease, upkeep in self.upkeep.items() if lease.ref.quota_id in quota_ids])

    def _is_full(self, quota: Quota) -> bool:
        """Whether there is no room for another lease of the quota's organization."""
        left = self._most - len(self.leases)
        return left <= 0 or (left <= self._most // _SHARE <= self._owned[quota.organization_id])

    def _at(self, quota: Quota, subject: str, at_us: int, now_us: int) -> Lease:
        ref, end_us = named_window(quota, subject, at_us)
        lease = self.leases.get(ref)
        if lease is None:
            if self._is_full(quota):
                raise OverloadedError(
                    f"This worker keeps {len(self.leases)} budgets and limits of users, keys and tags already.",
                    next_step="Try again in a minute; the operator can add workers.",
                    headers=(("retry-after", "60"),),
                )
            lease = self.leases[ref] = Lease(quota, ref, end_us)
            self._owned[quota.organization_id] += 1
            demand = self._demands.setdefault((quota.id, subject), Demand())
            self.upkeep[lease] = Upkeep(lease, demand, now_us)
        lease.quota = quota
        return lease
