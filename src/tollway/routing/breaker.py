"""When a deployment or a credential is left alone for a while. Plain arithmetic on a clock that never steps."""

from enum import StrEnum

from tollway.routing.failure import Failure, FailureKind

FAILURES_MAX = 5
"""So many failures in a row open a breaker."""
_FORBIDDEN = 403
_SAMPLES_MIN = 10.0
_RATE_MAX = 0.5
"""Or this part of the recent requests, if they were so many."""
_HALF_LIFE_S = 10.0
_OPEN_MIN_S = 2.0
_OPEN_MAX_S = 60.0
"""How long a breaker stays open: doubles from the first to the second with each probe that fails."""
_PROBE_S = 30.0
"""A probe that has not ended by then is given up, so that another one may go."""
_REST_DEFAULT_S = 1.0
_REST_MAX_S = 300.0
_REST_LONG_S = 600.0
"""A credential that is refused or out of credit: somebody has to do something about it."""

TROUBLE = frozenset(
    {FailureKind.CONNECTION, FailureKind.CUT, FailureKind.TIMEOUT, FailureKind.OVERLOADED, FailureKind.SERVER}
)
"""Failures of the deployment itself, which open its breaker. The others are the credential's or the request's."""


class BreakerState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    """One request at a time passes, to see whether it is well again."""
    OPEN = "open"


class Breaker:
    """Of one deployment."""

    __slots__ = ("_decayed_at_s", "_failed", "_in_a_row", "_open_until_s", "_opened", "_probe_until_s", "_seen")

    def __init__(self) -> None:
        self._in_a_row = 0
        self._opened = 0
        self._open_until_s = self._probe_until_s = self._decayed_at_s = 0.0
        self._seen = self._failed = 0.0

    def state(self, now_s: float) -> BreakerState:
        """Its state."""
        if not self._opened:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < self._open_until_s else BreakerState.HALF_OPEN

    def allows(self, now_s: float) -> bool:
        """Whether a request may pass."""
        return not self._opened or (now_s >= self._open_until_s and now_s >= self._probe_until_s)

    def began(self, now_s: float) -> None:
        """A request passes: a probe, if it is half open."""
        if self._opened and now_s >= self._open_until_s:
            self._probe_until_s = now_s + _PROBE_S

    def succeeded(self, now_s: float) -> bool:
        """A request was answered; whether that has closed it."""
        if not self._opened:
            self._in_a_row = 0
            self._note(now_s, failed=False)
            return False
        self.close()
        return True

    def failed(self, now_s: float, spread: float) -> float:
        """A request failed by the deployment's own trouble.

        Args:
            now_s: the time.
            spread: a random number from 0 to 1, so that not all workers probe at once.

        Returns:
            For how many seconds that has opened it; 0 if it has not.
        """
        self._in_a_row += 1
        self._note(now_s, failed=True)
        if self._opened and now_s < self._open_until_s:
            return 0.0  # a request that began before
        often = self._seen >= _SAMPLES_MIN and self._failed >= _RATE_MAX * self._seen
        if not self._opened and self._in_a_row < FAILURES_MAX and not often:
            return 0.0
        open_s: float = min(_OPEN_MIN_S * 2**self._opened, _OPEN_MAX_S) * (1 + spread) / 2
        self.open(now_s, open_s)
        return open_s

    def open(self, now_s: float, open_s: float) -> None:
        """Let nothing pass for so long, because of what this worker or another one saw."""
        self._opened = min(self._opened + 1, 16)
        self._open_until_s = max(self._open_until_s, now_s + open_s)
        self._probe_until_s = 0.0

    def close(self) -> None:
        """Let everything pass again."""
        self._opened = self._in_a_row = 0
        self._seen = self._failed = self._open_until_s = self._probe_until_s = 0.0

    def released(self) -> None:
        """A probe ended without telling anything."""
        self._probe_until_s = 0.0

    def _note(self, now_s: float, *, failed: bool) -> None:
        kept = 0.5 ** (max(now_s - self._decayed_at_s, 0) / _HALF_LIFE_S)
        self._decayed_at_s = now_s
        self._seen = self._seen * kept + 1
        self._failed = self._failed * kept + failed


def rest_s(failure: Failure) -> float:
    """For how many seconds a credential rests after a failure; 0 if the failure is not its own."""
    if failure.kind is FailureKind.RATE_LIMITED:
        return min(_REST_DEFAULT_S if failure.retry_after_s is None else failure.retry_after_s, _REST_MAX_S)
    return _REST_LONG_S if failure.kind in {FailureKind.EXHAUSTED, FailureKind.CREDENTIAL} else 0.0


def rests_for_all_models(failure: Failure) -> bool:
    """Whether it rests whatever model is asked: limits of rates, and permissions (403), are often of one model only.

    Most say 401 of a credential that they do not know, some 400.
    """
    unknown = failure.kind is FailureKind.CREDENTIAL and failure.status != _FORBIDDEN
    return unknown or failure.kind is FailureKind.EXHAUSTED


class Rests:
    """The credentials that rest."""

    __slots__ = ("_until_s",)

    def __init__(self) -> None:
        self._until_s: dict[tuple[str, str], float] = {}

    def rest(self, credential_id: str, model: str, until_s: float) -> None:
        """Let one rest until then. `model`: the only one it rests for; empty: for all."""
        key = (credential_id, model)
        self._until_s[key] = max(until_s, self._until_s.get(key, 0.0))

    def is_resting(self, credential_id: str, model: str, now_s: float) -> bool:
        """Whether it rests."""
        if not self._until_s:
            return False
        return max(self._until_s.get((credential_id, ""), 0.0), self._until_s.get((credential_id, model), 0.0)) > now_s

    def wake(self, credential_id: str) -> None:
        """It was replaced, or has worked."""
        for key in [key for key in self._until_s if key[0] == credential_id]:
            del self._until_s[key]

    def sweep(self, now_s: float) -> None:
        """Forget what is over."""
        self._until_s = {key: until_s for key, until_s in self._until_s.items() if until_s > now_s}
