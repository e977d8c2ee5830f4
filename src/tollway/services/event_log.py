"""The events of one response that is streamed while it runs here: the last ones in memory, all of them in the database.

Callers that are behind read from the database; when that falls behind, or is away, the provider has to wait. So the
memory is bounded, whatever the stream and its callers do.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice

import msgspec
import structlog

from tollway.data import response_events as store
from tollway.data.response_events import EventRow
from tollway.data.session import WriteSession
from tollway.errors import DatabaseUnavailableError
from tollway.services.content_seal import ContentSeal

_PAUSE_S, _RETRY_S = 0.2, 1.0
"""Between two writes: a stream has many events. What it has told meanwhile, a killed worker takes with it."""
_UNWRITTEN_MAX_BYTES = 1024 * 1024
_MEMORY_MAX_BYTES = 1024 * 1024
"""Of events that are written: for callers that are a little behind."""
_log = structlog.get_logger(__name__)


class EventBatch(msgspec.Struct, frozen=True):
    """Some events in a row. Attributes: first: number of the first one."""

    first: int
    events: tuple[bytes, ...]

    @property
    def last(self) -> int:
        """Number of the last one."""
        return self.first + len(self.events) - 1

    @property
    def size(self) -> int:
        """Bytes of them."""
        return sum(map(len, self.events))


class EventLog:
    """The log of one response. Attributes: ended: whether no more events come."""

    def __init__(self, write: Callable[[EventBatch], Awaitable[None]]) -> None:
        """Args: write: stores events; the same again changes nothing."""
        self._write = write
        self._events: deque[bytes] = deque()
        self._first = 0
        self._written = 0
        self._bytes = self._unwritten_bytes = 0
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self.ended = False

    @property
    def next_number(self) -> int:
        """Of the event that comes next."""
        return self._first + len(self._events)

    @property
    def unwritten(self) -> EventBatch:
        """What is not known to be in the database."""
        return EventBatch(self._written, tuple(islice(self._events, self._written - self._first, None)))

    def since(self, number: int) -> list[bytes] | None:
        """The events from a number on; ``None`` if not all of them are in memory."""
        return None if number < self._first else list(islice(self._events, number - self._first, None))

    def add(self, event: bytes) -> None:
        """Take the next event."""
        self._events.append(event)
        self._bytes += len(event)
        self._unwritten_bytes += len(event)
        self._change()

    def end(self) -> None:
        """No more events come."""
        self.ended = True
        self._closing.set()
        self._change()

    async def changed(self) -> None:
        """Wait for events, their end, or a write."""
        await self._changed.wait()

    async def room(self) -> None:
        """Wait until not too much waits for the database."""
        while self._unwritten_bytes > _UNWRITTEN_MAX_BYTES and not self._closing.is_set():
            await self.changed()

    def note_written(self, batch: EventBatch) -> None:
        """The database has these."""
        self._written = batch.last + 1
        self._unwritten_bytes -= batch.size
        while self._bytes - self._unwritten_bytes > _MEMORY_MAX_BYTES and self._first < self._written:
            self._bytes -= len(self._events.popleft())
            self._first += 1
        self._change()

    def start_writing(self) -> None:
        """Bring events into the database from now on."""
        self._writer = asyncio.create_task(self._write_all())

    async def stop_writing(self) -> None:
        """Leave the rest to who stores the response. Returns when no write is under way."""
        self._closing.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _write_all(self) -> None:
        pause_s = _PAUSE_S
        while not await self._is_closed(pause_s):
            batch = self.unwritten
            if not batch.events:
                continue
            try:
                await self._write(batch)
                self.note_written(batch)
                pause_s = _PAUSE_S
            except DatabaseUnavailableError:
                pause_s = _RETRY_S
            except Exception:  # noqa: BLE001 -- the response itself is not at stake: it is stored when it ends
                _log.exception("events_not_written", first=batch.first, last=batch.last)
                self.note_written(batch)

    async def _is_closed(self, after_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await self._closing.wait()
        return self._closing.is_set()


async def save_events(
    session: WriteSession, seal: ContentSeal, project_id: str, response_id: str, batch: EventBatch
) -> None:
    """Store events of a response that is there."""
    content = seal.seal_events(project_id, response_id, batch.first, b"".join(batch.events))
    await store.save(session, project_id, response_id, EventRow(batch.first, batch.last, content))
