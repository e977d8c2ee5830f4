"""A place among the requests that run at the same time; budgets and limits are held in `holder.py`."""

from types import TracebackType

from tollway.errors import NotReadyError, OverloadedError


class Places:
    """Counts running requests; one worker's own, so plain arithmetic. Use it as a context manager around a request."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0
        self.closed = False

    def __enter__(self) -> None:
        """Take a place.

        Raises:
            OverloadedError: all are taken.
            NotReadyError: the worker is stopping.
        """
        if self.closed:
            raise NotReadyError("This worker is stopping.", next_step="Try again.", headers=(("retry-after", "1"),))
        if self.taken >= self._limit:
            raise OverloadedError(
                f"This worker already serves {self._limit} requests.",
                next_step="Try again shortly; the operator can raise TOLLWAY_MAX_CONCURRENT_REQUESTS or add workers.",
                headers=(("retry-after", "1"),),
            )
        self.taken += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.taken -= 1
