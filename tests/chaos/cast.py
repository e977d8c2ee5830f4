"""Who calls, under which budgets and limits: decided by the seed."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

PICO = 10**12
PROVIDER = "stub"
INPUT_PICO, OUTPUT_PICO = 2_500_000, 10_000_000
"""Pico-dollars a token: what `support.gateway.Gateway.set_price` sets."""
USERS = ("ada", "bob", "cyd")
TEAMS = ("red", "blue")
MODELS = ("plain",) * 14 + ("slow",) * 4 + ("no-usage", "cut", "hang", "busy", "broken", "overloaded")
OUTPUT_TOKENS_MAX = 80
_FREE_KEY = "free"
_IDEMPOTENT_SHARE, _LEAVING_SHARE, _STREAM_SHARE = 0.2, 0.15, 0.5


@dataclass(frozen=True)
class Caller:
    """A project's key."""

    project: str
    name: str


CALLERS = (
    Caller("alpha", "a1"),
    Caller("alpha", "a2"),
    Caller("beta", "b1"),
    Caller("beta", "b2"),
    Caller("gamma", "g1"),
    Caller("free", _FREE_KEY),
)
FREE = CALLERS[-1]
"""Bound by nothing that it could use up: it must get answers whenever Tollway can give any."""


@dataclass
class Request:
    """One request as its caller means it; with an idempotency key it may be sent several times."""

    mark: str
    caller: Caller
    user: str
    team: str
    model: str
    stream: bool
    output_max: int
    content: str
    idempotency_key: str | None
    leave_after_s: float | None
    began_s: float = 0.0
    """When it was sent first (monotonic clock)."""

    @property
    def body(self) -> dict[str, object]:
        return {
            "model": f"{PROVIDER}/{self.model}",
            "messages": [{"role": "user", "content": self.content}],
            "stream": self.stream,
            "max_tokens": self.output_max,
            "user": self.user,
            "metadata": {"mark": self.mark, "team": self.team},
        }

    def value(self, dimension: str) -> str:
        """What this request is in a dimension of a quota."""
        values = {
            "project": self.caller.project,
            "key": self.caller.name,
            "user": self.user,
            "team": self.team,
            "provider": PROVIDER,
            "model": f"{PROVIDER}/{self.model}",
        }
        return values[dimension]


@dataclass(frozen=True)
class Scope:
    """Which requests a quota counts: equal in these dimensions, apart in those of `each`."""

    where: tuple[tuple[str, str], ...] = ()
    each: tuple[str, ...] = ()

    def counts(self, request: Request) -> bool:
        return all(request.value(dimension) == value for dimension, value in self.where)

    def subject(self, request: Request) -> tuple[str, ...]:
        return tuple(request.value(dimension) for dimension in self.each)


@dataclass(frozen=True)
class Budget:
    """A budget: `amount` in pico-dollars for each window of `period`."""

    name: str
    scope: Scope
    period: str
    amount: int
    length_s: int = 0
    hard: bool = True
    strict: bool = True

    @property
    def outlasts_a_run(self) -> bool:
        """Whether everything in a run counts in one window, unless a calendar window ends meanwhile."""
        return self.period != "rolling" or self.length_s >= 3_600


@dataclass(frozen=True)
class Limit:
    """A rate limit: `amount` of `unit` in each window of `period`."""

    name: str
    scope: Scope
    unit: str
    period: str
    amount: int
    queue_s: float = 0.0


@dataclass(frozen=True)
class Cast:
    """Everybody in a run."""

    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...]
    run: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def request(self, caller: Caller, rng: random.Random) -> Request:
        """The next request of a caller."""
        number = next(self._numbers)
        idempotent = rng.random() < _IDEMPOTENT_SHARE
        return Request(
            mark=f"{self.run}-{number}",
            caller=caller,
            user=rng.choice(USERS),
            team="none" if caller is FREE else rng.choice(TEAMS),
            model="plain" if caller is FREE else rng.choice(MODELS),
            stream=rng.random() < _STREAM_SHARE,
            output_max=rng.randint(1, OUTPUT_TOKENS_MAX),
            content="word " * rng.randint(1, 160),
            idempotency_key=f"key-{number}" if idempotent else None,
            leave_after_s=rng.uniform(0.0, 0.15) if rng.random() < _LEAVING_SHARE else None,
        )


def cast(rng: random.Random, run: str) -> Cast:
    """Choose the amounts so that most budgets end in mid-run."""

    def usd(least: float, most: float) -> int:
        return int(rng.uniform(least, most) * PICO)

    alpha, beta, gamma = (Scope((("project", project),)) for project in ("alpha", "beta", "gamma"))
    budgets = (
        Budget("everything", Scope(), "month", 50 * PICO),
        Budget("alpha a day", alpha, "day", usd(0.04, 0.25)),
        Budget("key a1", Scope((("key", "a1"),)), "total", usd(0.01, 0.08)),
        Budget("each user of beta", Scope(beta.where, ("user",)), "rolling", usd(0.01, 0.08), length_s=86_400),
        Budget("beta, by estimate", beta, "week", usd(0.1, 0.3), strict=False),
        Budget("team red", Scope((("team", "red"),)), "day", usd(0.1, 0.5)),
        Budget("slow model", Scope((("model", f"{PROVIDER}/slow"),)), "hour", usd(0.04, 0.15)),
        Budget("gamma a rolling minute", gamma, "rolling", usd(0.02, 0.1), length_s=60),
        Budget("watch a2", Scope((("key", "a2"),)), "day", usd(0.01, 0.05), hard=False, strict=False),
    )
    limits = (
        Limit("b1 a second", Scope((("key", "b1"),)), "requests", "second", rng.randint(4, 15)),
        Limit("g1 a minute", Scope((("key", "g1"),)), "requests", "minute", rng.randint(40, 90)),
        Limit("b2 at a time", Scope((("key", "b2"),)), "parallel", "total", rng.randint(2, 4), queue_s=1.0),
        Limit("alpha's tokens", alpha, "tokens", "minute", rng.randint(20_000, 60_000)),
    )
    return Cast(budgets, limits, run)
