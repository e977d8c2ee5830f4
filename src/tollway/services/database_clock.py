"""The database's clock in a worker: the workers of all machines count a request in the same window."""

import time

_clock_ns, _RUNNING = time.clock_gettime_ns, time.CLOCK_BOOTTIME  # found once: it is asked several times a request


class DatabaseClock:
    """Runs by itself, also while the machine sleeps, and is set by each exchange with the database.

    A step of the machine's own clock does not touch it.
    """

    def __init__(self) -> None:
        self._ahead_us = time.time_ns() // 1_000 - running_us()

    def now_us(self) -> int:
        """Epoch microseconds."""
        return _clock_ns(_RUNNING) // 1_000 + self._ahead_us

    def measured(self, database_us: int, *, before_us: int, after_us: int) -> None:
        """Set it by an answer of the database: no further than the time the answer took leaves no doubt.

        Args:
            database_us: what the database's clock said, epoch microseconds.
            before_us: `running_us` when it was asked.
            after_us: `running_us` when the answer was there.
        """
        self._ahead_us = min(max(self._ahead_us, database_us - after_us), database_us - before_us)


def running_us() -> int:
    """Microseconds on a clock that never steps."""
    return _clock_ns(_RUNNING) // 1_000
