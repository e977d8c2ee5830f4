"""What comes after a failure: the same target after a pause, another one, or the end. Pure arithmetic."""

import re
from enum import StrEnum

from tollway.routing.failure import Failure, FailureKind
from tollway.routing.route import TIMEOUT_MAX_S, Retry

_BUDGETS_MAX = 10_000
"""Routes whose budgets are remembered; callers choose the models of some providers."""
_BUDGET_MAX = 10.0
"""Retries that a quiet time has saved up: a handful of requests may be retried before the percentage binds."""
_TIMEOUT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s)?", re.ASCII)


class Move(StrEnum):
    """What to do next."""

    NEXT = "next"
    """Ask another target."""
    LARGER = "larger"
    """Ask another target whose window is larger."""
    SAME = "same"
    """Ask the same one again, after a pause."""
    STOP = "stop"


def moves(failure: Failure, retry: Retry) -> tuple[Move, ...]:
    """What may be done after a failure, the best first; the last is always `Move.STOP`."""
    kind = failure.kind
    if kind is FailureKind.INVALID:
        return (Move.STOP,)
    found: list[Move] = []
    if kind in retry.fall_back_on:
        found.append(Move.LARGER if kind is FailureKind.CONTEXT else Move.NEXT)
    if kind in retry.retry_on and kind is not FailureKind.CONTEXT:
        found.append(Move.SAME)
    return (*found, Move.STOP)


def back_off_s(retry: Retry, tries: int, retry_after_s: float | None, draw: float) -> float | None:
    """The pause before a target is asked again: full jitter, and not before the provider says.

    Args:
        retry: of the route.
        tries: how often the target was asked already; 1 or more.
        retry_after_s: what the provider said.
        draw: a random number from 0 to 1.

    Returns:
        Seconds; ``None`` if the provider wants a longer pause than is made.
    """
    longest_s: float = min(retry.back_off_base_s * 2 ** min(tries - 1, 32), retry.back_off_max_s)
    if retry_after_s is None:
        return draw * longest_s
    if retry_after_s > retry.back_off_max_s:
        return None
    return min(retry_after_s + draw * longest_s, retry.back_off_max_s)


class RetryBudget:
    """Lets a part of the requests be retried: a storm is not made worse. One a route and worker."""

    __slots__ = ("_saved",)

    def __init__(self) -> None:
        self._saved = _BUDGET_MAX

    def asked(self, percent: float) -> None:
        """A request came in, of which so many percent may be asked again."""
        if self._saved < _BUDGET_MAX:
            self._saved = min(self._saved + percent / 100, _BUDGET_MAX)

    def take(self, percent: float) -> bool:
        """Whether one more may be asked again; counted if so."""
        if self._saved < 1 or not percent:
            return False
        self._saved -= 1
        return True


class RetryBudgets(dict[tuple[str, str], RetryBudget]):
    """The budgets of a worker's routes, by project and name; one that is new is whole."""

    def __missing__(self, route: tuple[str, str]) -> RetryBudget:
        if len(self) >= _BUDGETS_MAX:
            self.clear()
        budget = self[route] = RetryBudget()
        return budget


def parse_timeout_s(text: str) -> float:
    """What ``x-tollway-timeout`` says: ``30``, ``30s``, ``1.5s`` or ``800ms``.

    Raises:
        ValueError: it is nothing of the kind, or not within (0, 86400] seconds.
    """
    found = _TIMEOUT.fullmatch(text.strip())
    timeout_s = float(found[1]) * (0.001 if found[2] == "ms" else 1.0) if found else 0.0
    if not 0 < timeout_s <= TIMEOUT_MAX_S:
        raise ValueError(f"`x-tollway-timeout` must be like 30, 30s or 800ms: above 0, up to {TIMEOUT_MAX_S:.0f} s.")
    return timeout_s
