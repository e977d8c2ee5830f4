"""How fast and how reliable one deployment was lately, as this worker and the others saw it. Plain arithmetic."""

from collections import deque

import msgspec

_LATENCY_PART = 0.2
"""Weight of the newest request in an average: about the last ten count."""
_FAILURE_PART = 0.1
_FAILURE_HALF_LIFE_S = 30.0
"""A failure counts half as much after this time, so that a target nobody asks is not shunned for ever."""
_RECENT_MAX = 64
_PERCENTILE_MIN = 8
"""Fewer requests than these have no percentiles worth acting on."""


class Latency(msgspec.Struct, frozen=True):
    """What workers tell each other. Attributes: the averages of `Health`."""

    first_token_s: float | None
    token_s: float | None


class Health:
    """One model of one provider.

    Attributes:
        first_token_s: average time to the first token of a stream, ``None`` if none was seen.
        token_s: average time per token of the answer, ``None`` as above.
        in_flight: requests of this worker that run there now.
        news: requests measured since others were told.
    """

    __slots__ = (
        "_failures",
        "_failures_at_s",
        "_recent_streams",
        "_recent_wholes",
        "first_token_s",
        "in_flight",
        "news",
        "token_s",
    )

    def __init__(self) -> None:
        self.first_token_s: float | None = None
        self.token_s: float | None = None
        self.in_flight = 0
        self.news = 0
        self._failures = 0.0
        self._failures_at_s = 0.0
        self._recent_streams: deque[float] = deque(maxlen=_RECENT_MAX)
        self._recent_wholes: deque[float] = deque(maxlen=_RECENT_MAX)

    def answered(self, waited_s: float, duration_s: float, output_tokens: int, *, stream: bool) -> None:
        """A request was answered: how long that took.

        Args:
            waited_s: until the first token of a stream, or until the whole reply.
            duration_s: until the end.
            output_tokens: of the answer.
            stream: whether it was a stream.
        """
        self.news += 1
        if stream:
            self._recent_streams.append(waited_s)
            self.first_token_s = _averaged(self.first_token_s, waited_s)
            spent_s = duration_s - waited_s
        else:
            self._recent_wholes.append(waited_s)
            spent_s = max(duration_s - (self.first_token_s or 0), 0)
        if output_tokens > 0:
            self.token_s = _averaged(self.token_s, spent_s / output_tokens)

    def ended(self, now_s: float, *, failed: bool) -> None:
        """A request ended, well or because the provider failed. `now_s`: of a clock that never steps."""
        self._failures = self.error_rate(now_s) * (1 - _FAILURE_PART) + (_FAILURE_PART if failed else 0)
        self._failures_at_s = now_s

    @property
    def is_spotless(self) -> bool:
        """Whether nothing has ever failed."""
        return not self._failures

    def error_rate(self, now_s: float) -> float:
        """Part of the recent requests that failed, 0 to 1."""
        if not self._failures:
            return 0.0
        return float(self._failures * 0.5 ** (max(now_s - self._failures_at_s, 0) / _FAILURE_HALF_LIFE_S))

    def expected_s(self, output_tokens: int) -> float | None:
        """How long an answer of so many tokens takes; ``None`` if nothing was measured."""
        if self.first_token_s is None and self.token_s is None:
            return None
        return (self.first_token_s or 0) + (self.token_s or 0) * output_tokens

    def late_s(self, percentile: int, *, stream: bool) -> float | None:
        """What takes longer than so many percent of the recent requests; ``None`` if there were too few.

        Measured to the first token, or to the whole reply of requests that were no streams.
        """
        recent = self._recent_streams if stream else self._recent_wholes
        if len(recent) < _PERCENTILE_MIN:
            return None
        return sorted(recent)[min(len(recent) * percentile // 100, len(recent) - 1)]

    @property
    def latency(self) -> Latency:
        """What to tell others."""
        return Latency(self.first_token_s, self.token_s)

    def learn(self, told: Latency) -> None:
        """Take in what another worker measured: all of it where nothing was, else as one more request."""
        if told.first_token_s is not None:
            self.first_token_s = _averaged(self.first_token_s, told.first_token_s)
        if told.token_s is not None:
            self.token_s = _averaged(self.token_s, told.token_s)


def _averaged(average: float | None, value: float) -> float:
    return value if average is None else average + _LATENCY_PART * (value - average)
