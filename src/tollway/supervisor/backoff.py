"""How long to wait before a child is started again. Pure."""

import random

_FIRST_S = 0.1
_LAST_S = 5.0


class Backoff:
    """Doubles from 0.1 s to 5 s while a child dies before it is ready, with jitter so that many do not move in step.

    A child that had become ready is started again at once: its own start is the pace, and the callers are waiting.
    """

    def __init__(self) -> None:
        self._failures = 0

    def delay_s(self, *, was_ready: bool) -> float:
        """Seconds to wait after a death."""
        if was_ready:
            self._failures = 0
            return 0.0
        ceiling = min(_LAST_S, _FIRST_S * (1 << self._failures))
        self._failures = min(self._failures + 1, 16)
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret
