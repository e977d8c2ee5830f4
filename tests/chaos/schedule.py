"""What goes wrong in a run, and when: decided by the seed alone, before anything starts."""

import random
from dataclasses import dataclass
from enum import StrEnum

QUIET_START_S = 1.5
"""The load runs undisturbed, so that leases and pools are there to be broken."""
_GAP_S = (0.3, 1.6)


class Fault(StrEnum):
    """What can go wrong."""

    KILL_WORKER = "kill worker"
    FREEZE_WORKER = "freeze worker"
    KILL_DRAIN = "kill drain"
    KILL_POSTGRES = "kill postgres"
    KILL_BACKEND = "kill a postgres backend"
    FREEZE_POSTGRES = "freeze postgres"
    CUT_DATABASE = "cut database connections"
    STALL_DATABASE = "stall database connections"
    DELAY_DATABASE = "delay database connections"
    CUT_CALLERS = "cut callers"
    DELAY_CALLERS = "delay callers"
    CUT_PROVIDER = "cut provider"
    DELAY_PROVIDER = "delay provider"
    FILL_JOURNAL = "fill the journal's disk"
    CHANGE_QUOTA = "change a quota"
    RESTART = "restart"
    CRASH = "kill everything and start again"


class Database(StrEnum):
    """How Tollway comes to its database."""

    EMBEDDED = "embedded"
    PROXIED = "own server behind a proxy"


@dataclass(frozen=True)
class Kind:
    """How a fault occurs.

    Attributes:
        weight: how often, relative to the others.
        group: no two faults of a group at a time.
        lasts_s: shortest and longest time; none for a fault of a moment.
        rest_s: quiet time of its group after its end: a restart takes a while.
    """

    weight: int
    group: str
    lasts_s: tuple[float, float] = (0.0, 0.0)
    rest_s: float = 0.0


KINDS: dict[Fault, Kind] = {
    Fault.KILL_WORKER: Kind(6, "worker"),
    Fault.FREEZE_WORKER: Kind(2, "worker", (0.5, 3.0)),
    Fault.KILL_DRAIN: Kind(3, "drain", rest_s=1.0),
    Fault.KILL_POSTGRES: Kind(3, "database", rest_s=2.5),
    Fault.KILL_BACKEND: Kind(2, "database", rest_s=2.5),
    Fault.FREEZE_POSTGRES: Kind(3, "database", (0.5, 4.0), rest_s=1.0),
    Fault.CUT_DATABASE: Kind(3, "database", (0.0, 3.0), rest_s=0.5),
    Fault.STALL_DATABASE: Kind(2, "database", (0.5, 4.0), rest_s=1.0),
    Fault.DELAY_DATABASE: Kind(2, "database", (1.0, 4.0)),
    Fault.CUT_CALLERS: Kind(3, "callers", (0.0, 0.3)),
    Fault.DELAY_CALLERS: Kind(1, "callers", (0.5, 2.0)),
    Fault.CUT_PROVIDER: Kind(3, "provider", (0.0, 0.5)),
    Fault.DELAY_PROVIDER: Kind(2, "provider", (0.5, 2.0)),
    Fault.FILL_JOURNAL: Kind(2, "journal", (0.5, 2.5), rest_s=1.0),
    Fault.CHANGE_QUOTA: Kind(6, "quota"),
    Fault.RESTART: Kind(1, "database", rest_s=6.0),
    Fault.CRASH: Kind(1, "database", rest_s=6.0),
}
_ONLY_PROXIED = frozenset({Fault.CUT_DATABASE, Fault.STALL_DATABASE, Fault.DELAY_DATABASE})


@dataclass(frozen=True)
class Event:
    """One fault.

    Attributes:
        at_s: seconds after the load began.
        fault: what.
        lasts_s: for how long.
        pick: chooses the victim, or how much: from 0 to 1.
    """

    at_s: float
    fault: Fault
    lasts_s: float
    pick: float

    def __str__(self) -> str:
        lasting = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:5.1f} s  {self.fault}{lasting} ({self.pick:.2f})"


@dataclass(frozen=True)
class Plan:
    """A run.

    Attributes:
        seed: of everything in it.
        faults_s: seconds in which things go wrong.
        database: which kind.
        events: by time.
    """

    seed: int
    faults_s: float
    database: Database
    events: tuple[Event, ...]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.faults_s:g} s of faults, database: {self.database}"]
        return "\n".join([*lines, *(f"  {event}" for event in self.events)])

    def rng(self, purpose: str) -> random.Random:
        """Random numbers for one purpose, the same for the same seed."""
        return random.Random(f"{self.seed} {purpose}")


def plan(seed: int, *, faults_s: float, small_disk: bool) -> Plan:
    """Decide a run.

    Args:
        seed: decides everything.
        faults_s: how long things go wrong.
        small_disk: whether the journal lies on a disk that can be filled. Without it that fault is left out, and the
            rest stays the same.
    """
    rng = random.Random(seed)
    database = rng.choice(list(Database))
    events = []
    busy_until_s: dict[str, float] = {}
    at_s = QUIET_START_S
    while at_s < faults_s:
        event = _event(rng, at_s)
        kind = KINDS[event.fault]
        possible = database is Database.PROXIED or event.fault not in _ONLY_PROXIED
        if possible and at_s >= busy_until_s.get(kind.group, 0.0):
            events.append(event)
            busy_until_s[kind.group] = at_s + event.lasts_s + kind.rest_s
            at_s += rng.uniform(*_GAP_S)
    kept = (event for event in events if small_disk or event.fault is not Fault.FILL_JOURNAL)
    return Plan(seed, faults_s, database, tuple(kept))


def _event(rng: random.Random, at_s: float) -> Event:
    fault = rng.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
    return Event(round(at_s, 2), fault, round(rng.uniform(*KINDS[fault].lasts_s), 2), round(rng.random(), 2))
