"""A quota's window with its workers, without processes, a clock or a database: what state-machine tests drive.

The arithmetic is the real one. Of the database there is what an exchange, the drain and a release read and write, and a
failover that forgets the last commits; of a worker its lease, its requests and its journal.
"""

from dataclasses import dataclass, field

from tollway.ledger.exchange import LeaseState, WindowState, exchange, release, settle
from tollway.ledger.lease import Ask, Grant, Lease
from tollway.ledger.quota import Period, Quota, Unit, WindowRef
from tollway.ledger.window import FOREVER_US
from tollway.services.leases.upkeep import Demand, Upkeep

REF = WindowRef("quota", 0, "", 0)
HISTORY = 8


class WindowDatabase:
    """The rows of one window."""

    def __init__(self) -> None:
        self.window = WindowState()
        self.leases: dict[int, LeaseState] = {}
        self.entries: frozenset[tuple[int, int]] = frozenset()
        self._history: list[tuple[WindowState, dict[int, LeaseState], frozenset[tuple[int, int]]]] = []

    def exchange(self, worker: int, ask: Ask, *, amount: int | None, workers: int, recovering: bool) -> Grant:
        self._commit()
        self.window, self.leases[worker], grant = exchange(
            self.window,
            self.leases.get(worker, LeaseState()),
            ask,
            amount=amount,
            workers=workers,
            recovering=recovering,
        )
        return grant

    def store(self, worker: int, number: int, charge: int, *, settles: bool) -> None:
        """Take an entry of a worker's journal, once."""
        if (worker, number) in self.entries:
            return
        self._commit()
        self.entries |= {(worker, number)}
        if settles:
            lease = self.leases.get(worker, LeaseState())
            self.window, self.leases[worker] = settle(self.window, lease, charge)

    def release(self, worker: int) -> None:
        self._commit()
        lease = self.leases.pop(worker, None)
        if lease is not None:
            self.window = release(self.window, lease)

    def forget(self, commits: int) -> None:
        """A standby that lacks the last commits takes over."""
        for _ in range(min(commits, len(self._history))):
            self.window, self.leases, self.entries = self._history.pop()

    def _commit(self) -> None:
        self._history.append((self.window, dict(self.leases), self.entries))
        del self._history[:-HISTORY]


@dataclass(eq=False)
class LeaseWorker:
    """A worker with one lease.

    Attributes:
        number: names it.
        quota: whose window it is.
        running: what each running request holds.
        line: what each waiting request needs.
        journal: the charge of each ended request.
        drained: how many of them were sent to the database (since a failover).
        asked: the exchange that is under way.
        answer: the answer to it, on its way.
        told: whether an exchange that began after the last failover reached the database.
    """

    number: int
    quota: Quota
    alive: bool = True
    running: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    journal: list[int] = field(default_factory=list)
    drained: int = 0
    sequence: int = 0
    asked: Ask | None = None
    answer: Grant | None = None
    told: bool = True
    lease: Lease = field(init=False)
    upkeep: Upkeep = field(init=False)

    def __post_init__(self) -> None:
        self.begin_lease(0)

    @property
    def exposure(self) -> int:
        """What it spent, and what it may still spend without asking anybody."""
        free = max(self.lease.free, 0) if self.alive else 0
        spent = 0 if self.quota.unit is Unit.PARALLEL else sum(self.journal)
        return spent + sum(self.running) + free

    def begin_lease(self, now_us: int) -> None:
        """Have an empty lease: the worker is new, or had forgotten that it had one."""
        self.lease = Lease(self.quota, REF, FOREVER_US)
        self.upkeep = Upkeep(self.lease, Demand(), now_us)
        self.asked = self.answer = None

    def begin(self, amount: int) -> None:
        """A request comes."""
        if not self.line and self.lease.hold(amount):
            self.running.append(amount)
        else:
            self.line.append(amount)
            self.lease.waiting += 1

    def end(self, place: int, used: int) -> None:
        """A request ends."""
        held = self.running.pop(place)
        self.lease.settle(held, 0 if self.quota.unit is Unit.PARALLEL else used)
        self.journal.append(used)
        self.serve_line()

    def serve_line(self) -> None:
        while self.line and self.lease.hold(self.line[0]):
            self.running.append(self.line.pop(0))
            self.lease.waiting -= 1

    def leave_line(self) -> None:
        """All who wait give up."""
        self.line.clear()
        self.lease.waiting = 0

    def ask(self, now_us: int, *, giving_back: bool = True) -> Ask:
        """Begin an exchange. One that is under way is given up: it may still arrive, its answer will not."""
        self.upkeep.look(now_us)
        self.sequence += 1
        self.answer = None
        self.asked = self.upkeep.ask(
            self.sequence,
            first=self.line[0] if self.line else 0,
            total=sum(self.line),
            now_us=now_us,
            giving_back=giving_back,
        )
        return self.asked

    def take_answer(self, now_us: int) -> None:
        if self.answer is not None:
            self.upkeep.answered(self.answer, now_us)
            self.asked = self.answer = None
            self.serve_line()

    def die(self) -> None:
        """Its journal is all that is left: requests that ran are charged what they held."""
        self.alive = False
        self.journal += self.running
        self.running.clear()
        self.leave_line()
        self.asked = self.answer = None


def a_quota(unit: Unit) -> Quota:
    return Quota("quota", "org", unit, Period.TOTAL, 0)
