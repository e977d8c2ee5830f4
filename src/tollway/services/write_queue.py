"""Writes that nobody waits for, on their way into the database: several in one transaction, in order.

They outlive an absent database as long as the process does. What has to be dropped is logged, never silent.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

import structlog

from tollway.errors import DatabaseUnavailableError

T = TypeVar("T")

_RETRY_MIN_S, _RETRY_MAX_S = 0.1, 2.0
_BATCH, _BATCH_BYTES = 32, 4 * 1024 * 1024
_BATCH_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 2.0
_log = structlog.get_logger(__name__)


class _Waiting(Generic[T]):
    __slots__ = ("size", "value", "written")

    def __init__(self, value: T, size: int) -> None:
        self.value = value
        self.size = size
        self.written = asyncio.Event()


class WriteQueue(Generic[T]):
    """One queue of one worker. Attributes: stalled: whether the database did not take what waits when it was tried."""

    def __init__(
        self,
        name: str,
        write: Callable[[list[T]], Awaitable[None]],
        done: Callable[[T], None],
        *,
        max_count: int,
        max_bytes: int,
        close_timeout_s: float = _CLOSE_TIMEOUT_S,
    ) -> None:
        """Begin.

        Args:
            name: for the log.
            write: stores values in one transaction; the same again changes nothing.
            done: told of each value that waits no more, stored or dropped.
            max_count: values that may wait; beyond it new ones are dropped.
            max_bytes: the same in bytes.
            close_timeout_s: how long what waits at the end may take.
        """
        self._name = name
        self._write = write
        self._done = done
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._close_timeout_s = close_timeout_s
        self._waiting: deque[_Waiting[T]] = deque()
        self._bytes = 0
        self._batch_count = _BATCH
        self._writing: asyncio.Task[None] | None = None
        self.stalled = False

    def has_room(self, size: int) -> bool:
        """Whether a value of so many bytes may wait."""
        return len(self._waiting) < self._max_count and self._bytes + size <= self._max_bytes

    def add(self, value: T, size: int) -> asyncio.Event:
        """Queue a value of so many bytes. Returns what is set once it waits no more."""
        waiting = _Waiting(value, size)
        if not self.has_room(size):
            _log.error("write_dropped", what=self._name, reason="too much waits for the database", bytes=size)
            waiting.written.set()
            self._done(value)
            return waiting.written
        self._waiting.append(waiting)
        self._bytes += size
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return waiting.written

    async def aclose(self) -> None:
        """Give what waits a last moment."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=self._close_timeout_s)
            self._writing.cancel()
        if self._waiting:
            _log.error("write_dropped", what=self._name, reason="the worker stops", count=len(self._waiting))

    async def _write_all(self) -> None:
        delay_s = _RETRY_MIN_S
        while self._waiting:
            batch = list(self._batch())
            try:
                async with asyncio.timeout(_BATCH_TIMEOUT_S):
                    await self._write([waiting.value for waiting in batch])
            except (DatabaseUnavailableError, TimeoutError):
                self.stalled = True
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, _RETRY_MAX_S)
                continue
            except Exception as error:  # noqa: BLE001 -- one value that cannot be stored must not stop those after it
                if len(batch) > 1:
                    self._batch_count = 1
                    continue
                _log.error("write_dropped", what=self._name, reason=repr(error))
            delay_s, self.stalled = _RETRY_MIN_S, False
            self._batch_count = min(2 * self._batch_count, _BATCH)
            for waiting in batch:
                self._waiting.popleft()
                self._bytes -= waiting.size
                waiting.written.set()
                self._done(waiting.value)

    def _batch(self) -> Iterator[_Waiting[T]]:
        size = 0
        for number, waiting in enumerate(self._waiting):
            size += waiting.size
            if number and (number >= self._batch_count or size > _BATCH_BYTES):
                return
            yield waiting
