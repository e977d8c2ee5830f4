"""What a worker asks of the database for one lease, and when: sizes, what is given back, what may be forgotten."""

from tollway.ledger.lease import Ask, Grant, Lease
from tollway.ledger.quota import Period, Unit
from tollway.ledger.window import SECOND_US

SUPPLY_S = 90
"""A worker wants what it spends in this time: a minute's outage of the database passes unnoticed."""
SPARE_HOLDS = 4
"""Requests of the largest size lately seen that should find enough free besides."""
AMPLE_PART = 64
"""Of what is left of a budget: the whole load may come to a worker that had none of it while the database is away."""
AMPLE_LIMIT_PART = 256
"""Of what is left of a rate limit: less, since what lies unused in a short window is lost, not only late."""
IDLE_US = 5 * SECOND_US
"""An unused lease then gives back all but a little."""
UNUSED_US = 90 * SECOND_US
"""An unused lease then gives back everything."""
FORGET_US = 60 * SECOND_US
"""A lease from which everything was given back is remembered for this long."""
UNSETTLED_US = 600 * SECOND_US
"""The lease of an ended window is remembered for this long, if the ledger does not have all that it spent."""
_SETTLED_CHECK_US = 15 * SECOND_US
_TELL_US = 5 * SECOND_US
"""What changed without need of the database is told this often."""
_RECALL_US = 2 * SECOND_US
"""After a recall everything free is given back for this long; whoever still lacks it recalls again after a second."""
_RISE_S, _FALL_S = 1.0, 10.0
"""In this time the measured rate of spending follows the present one up, and down."""
_LINGER_US = SECOND_US
"""A window that is over may be told of so much later, if nothing else is to be told before: what it has serves nobody.
Of windows of a second each exchange then tells the end of one and gets the next one."""
_PAUSE_US = 10_000
"""Pause before asking again for what was not there, the first time; it doubles."""
_WAITING_PAUSE_MAX_US = 100_000
_LOW_PAUSE_MAX_US = SECOND_US
NEVER = -(1 << 62)
"""As `Lease.low`: nothing is asked for in the background."""


class Demand:
    """How one subject of a quota is used in this worker, over all its windows.

    Attributes:
        rate: spent per second, in the quota's unit.
        largest: what the largest request lately needed.
    """

    __slots__ = ("largest", "rate")

    def __init__(self) -> None:
        self.rate = 0.0
        self.largest = 0

    def spent(self, amount: int, span_s: float) -> None:
        """So much was spent in a span of time."""
        present = amount / span_s
        follow_s = _RISE_S if present > self.rate else _FALL_S
        self.rate += (present - self.rate) * span_s / (span_s + follow_s)

    def needed(self, amount: int) -> None:
        """A request needs so much."""
        self.largest = max(amount, self.largest - self.largest // 8)


class Upkeep:
    """One lease's dealings with the database. Times are epoch microseconds of the database's clock.

    Attributes:
        lease: which.
        demand: shared with the leases of the windows before and after.
        ended: no request may begin on it any more: its window is over, or its quota changed or is gone.
        recalled_until_us: until then others want what is free here.
        lingers_until_us: an ended one is told of with another before, else then.
    """

    __slots__ = (
        "_answered_us",
        "_asked",
        "_asked_with",
        "_held_seen",
        "_looked_us",
        "_low_pause_us",
        "_refused",
        "_refused_told",
        "_spent_seen",
        "_told",
        "_used_us",
        "_waiting_pause_us",
        "demand",
        "ended",
        "lease",
        "lingers_until_us",
        "recalled_until_us",
    )

    def __init__(self, lease: Lease, demand: Demand, now_us: int) -> None:
        self.lease = lease
        self.demand = demand
        self.ended = False
        self.recalled_until_us = self.lingers_until_us = 0
        self._refused = False
        self._refused_told = False
        self._asked: Ask | None = None
        self._asked_with = 0
        self._told = (0, 0, 0)
        self._answered_us = 0
        self._waiting_pause_us = 0
        self._low_pause_us = 0
        self._looked_us = max(now_us, lease.ref.start_us)
        self._used_us = now_us
        self._spent_seen = 0
        self._held_seen = 0

    def recall(self, now_us: int) -> None:
        """Others want what is free here."""
        self.recalled_until_us = now_us + _RECALL_US

    def changed(self) -> None:
        """The quota changed: what was last heard of it no longer counts."""
        self._waiting_pause_us = self._low_pause_us = 0
        self._refused = self._refused_told = False

    def refuse(self) -> bool:
        """A request was refused for want of it; whether that is to be told: once."""
        self._refused = not self._refused_told
        return self._refused

    def used(self, now_us: int) -> bool:
        """Whether it was used lately."""
        return now_us - self._used_us < IDLE_US

    def end(self, *, over_us: int = 0) -> None:
        """No request begins on it any more.

        Args:
            over_us: what time it is, if the window ended by its time.
        """
        self.ended = True
        lingers = over_us and self.lease.quota.period is not Period.ROLLING  # what a slot has left the next may need
        self.lingers_until_us = over_us + _LINGER_US if lingers else 0

    def lingers(self, now_us: int) -> bool:
        """Whether it is not worth an exchange of its own yet."""
        return self.ended and now_us < self.lingers_until_us

    def ready_us(self) -> int:
        """From when on it makes sense to ask again."""
        if self.ended:
            return self.lingers_until_us
        pause_us = self._waiting_pause_us if self.lease.waiting else self._low_pause_us
        return self._answered_us + pause_us

    def look(self, now_us: int) -> bool:
        """Measure the use; whether there is reason to ask now."""
        self._observe(now_us)
        lease, untold = self.lease, self._told != self._state()
        asked_ago_us = now_us - self._answered_us
        if self.ended:
            return lease.free > 0 or (untold and not lease.held) or (untold and asked_ago_us > _TELL_US)
        if lease.free > self._keep(now_us) and not lease.waiting:
            return True
        if lease.free < lease.low or (untold and asked_ago_us > _TELL_US):
            return True
        return self._closed(now_us) and not self._settled() and asked_ago_us > _SETTLED_CHECK_US

    def forgettable(self, now_us: int) -> bool:
        """Whether the database knows all there is to know, so that the lease may go and one day begin anew."""
        if not self._closed(now_us) or self._told != self._state():
            return False
        return self._settled() or now_us - self.lease.end_us > UNSETTLED_US

    def ask(self, sequence: int, *, first: int, total: int, now_us: int, giving_back: bool) -> Ask:
        """Give back what is not needed here, and say what is there and what is wanted.

        Args:
            sequence: of this exchange.
            first: what the first of the waiting requests needs to hold.
            total: what all of them need.
            now_us: the database's clock.
            giving_back: ``False`` while the database is away: what is given back then would be missing on both sides.
        """
        lease = self.lease
        if first:
            self.demand.needed(first)
            self._used_us = now_us
        if giving_back:
            # A part that serves nobody here may serve somebody elsewhere, and comes back if there is enough for both.
            stuck = self._waiting_pause_us and lease.free < first
            lease.give_back(0 if stuck else max(self._keep(now_us), total))
        free = max(lease.free, 0)
        have, _, spent = self._state()
        self._asked_with = lease.granted
        self._asked = Ask(
            window=lease.ref,
            end_us=lease.end_us,
            have=have,
            held=lease.held,
            sequence=sequence,
            first=max(first - free, 0),
            waiting=max(total - free, 0),
            want=max(self._target(now_us, waiting=total) - max(free - total, 0), 0),
            refused=self._refused,
            spent=spent if lease.quota.unit is not Unit.USD else 0,
        )
        return self._asked

    def answered(self, grant: Grant, now_us: int) -> None:
        """Take the database's answer."""
        lease, ask = self.lease, self._asked
        if ask is None:
            return
        lease.regranted(asked_with=self._asked_with, granted=grant.granted)
        unknown = self._unknown(grant)
        lease.spent += unknown
        lease.free -= unknown
        self._spent_seen += unknown
        lease.answered(grant)
        lease.sequence = ask.sequence
        self._refused_told |= ask.refused
        self._refused = False
        self._told = (grant.granted, ask.held, 0 if lease.quota.unit is Unit.USD else max(ask.spent, grant.spent))
        self._answered_us = now_us
        target = self._target(now_us)
        # What was leased for the rest of a short window is used up before its end only by a burst.
        part = 2 if lease.end_us - now_us > SUPPLY_S * SECOND_US else 8
        lease.ask_below(target // part if grant.left > 0 else NEVER)
        short = grant.granted - ask.have < ask.waiting
        self._waiting_pause_us = _longer(self._waiting_pause_us, _WAITING_PAUSE_MAX_US) if short else 0
        self._low_pause_us = _longer(self._low_pause_us, _LOW_PAUSE_MAX_US) if lease.free < lease.low else 0

    def _unknown(self, grant: Grant) -> int:
        """What was spent here by the database's account and not by the lease's, which had been forgotten once.

        What the ledger settles of a budget may come later than the first answer: a failover forgets it, too, and the
        drain brings it back. A rate limit is settled by what the lease tells, which is nothing before the first answer.
        """
        if self.lease.quota.unit is Unit.USD:
            return max(grant.spent - self.lease.spent, 0)
        return grant.spent if self.lease.answer is None else 0

    def _observe(self, now_us: int) -> None:
        lease, span_us = self.lease, now_us - self._looked_us
        if span_us <= 0:
            return
        spent = lease.spent - self._spent_seen
        if spent or lease.held or lease.waiting or lease.held != self._held_seen:
            self._used_us = now_us
        if not self.ended and lease.quota.unit is not Unit.PARALLEL:
            self.demand.spent(spent, span_us / SECOND_US)
        self._spent_seen, self._held_seen, self._looked_us = lease.spent, lease.held, now_us

    def _target(self, now_us: int, *, waiting: int = 0) -> int:
        """What should be free: at the least as much again as requests wait for, so that it doubles until none does."""
        lease, demand = self.lease, self.demand
        if self.ended or now_us < self.recalled_until_us or now_us - self._used_us >= IDLE_US:
            return 0
        reach_s = min(SUPPLY_S, (lease.end_us - max(now_us, lease.ref.start_us)) / SECOND_US)
        supply = max(int(demand.rate * max(reach_s, 0)), self._ample(), waiting)
        return supply + max(lease.held // 2, self._spare())

    def _keep(self, now_us: int) -> int:
        """What may stay free; more is given back."""
        idle_us = now_us - self._used_us
        if self.ended or now_us < self.recalled_until_us or idle_us >= UNUSED_US:
            return 0
        answer = self.lease.answer
        if answer is not None and answer.left < 0:  # as after the amount was lowered: nothing of it is used again
            return 0
        if idle_us < IDLE_US or answer is None:
            return self.lease.free
        return min(max(self._spare(), self._ample()), max(answer.left, 0) // 8)

    def _spare(self) -> int:
        return SPARE_HOLDS * self.demand.largest

    def _ample(self) -> int:
        """What a worker may have however little it spends: others recall it as soon as they lack it."""
        answer, quota = self.lease.answer, self.lease.quota
        if quota.unit is Unit.USD:
            return max(answer.left, 0) // AMPLE_PART if answer is not None else 0
        left = max(answer.left, 0) if answer is not None else quota.amount  # windows are new all the time
        return left // AMPLE_LIMIT_PART

    def _state(self) -> tuple[int, int, int]:
        """What there is to tell: what the worker has, holds, and counted itself."""
        lease = self.lease
        spent = 0 if lease.quota.unit is Unit.USD or lease.answer is None else lease.spent
        return max(lease.granted, lease.spent + lease.held), lease.held, spent

    def _closed(self, now_us: int) -> bool:
        lease = self.lease
        return not (lease.held or lease.waiting or lease.free > 0) and now_us - self._used_us > FORGET_US

    def _settled(self) -> bool:
        return self.lease.spent <= (self.lease.answer.spent if self.lease.answer is not None else 0)


def _longer(pause_us: int, longest_us: int) -> int:
    return min(max(2 * pause_us, _PAUSE_US), longest_us)
