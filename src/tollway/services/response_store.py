"""Keep responses: several in one transaction, in order, by a queue that outlives an absent database.

It is written before its caller has the last byte: whoever has that can go on with it, whatever happens to this worker.
Only while the database is away nobody waits; what waits to be written can then be found in this worker's memory, and is
lost with it.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from msgspec import Raw

from tollway.chat.turn import Turn, head_of, item_ids_of, items_by_id, outline_of, output_of
from tollway.data import conversation_locks, conversations, responses
from tollway.data.responses import ResponseRow
from tollway.data.session import Database, WriteSession
from tollway.identity.principal import Principal
from tollway.services.content_seal import ContentSeal, item_rows
from tollway.services.conversation_lock import ConversationLock
from tollway.services.event_log import EventBatch, save_events
from tollway.services.write_queue import WriteQueue

_WRITTEN_TIMEOUT_S = 1.0
"""A caller waits no longer than this for its last byte; the response is written all the same, a little later."""
_WAITING_MAX = 10_000
_WAITING_MAX_BYTES = 128 * 1024 * 1024
_log = structlog.get_logger(__name__)

_SAID = frozenset({"completed", "incomplete"})
"""Whose turns a conversation goes on with."""
_ENDED = _SAID | {"failed", "cancelled"}


class Kept(msgspec.Struct, frozen=True):
    """A response to be kept.

    Attributes:
        principal: whose it is, with the project's choice of what is kept and for how long.
        id: of the response.
        turn: what was said.
        previous_id, conversation_id: what it goes on with.
        lock: of the conversation; given back with the write.
        events: those that are stored with it.
        background: whether it ran in the background, so that its row is there already.
        worker_id: where it runs; empty once it ended.
        created_at: when it was asked for.
    """

    principal: Principal
    id: str
    turn: Turn
    previous_id: str | None = None
    conversation_id: str | None = None
    lock: ConversationLock | None = None
    events: EventBatch | None = None
    background: bool = False
    worker_id: str = ""
    created_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> tuple[str, str]:
        """Project and id."""
        return self.principal.project_id, self.id

    @property
    def status(self) -> str:
        """Of the response."""
        status = head_of(self.turn.response)[1]
        return status if status in _ENDED or self.worker_id else "completed"

    @property
    def full(self) -> bool:
        """Whether its content is kept, so that a dialogue can go on with it."""
        return self.principal.store_content == "full"

    @property
    def expires_at(self) -> datetime:
        """Until when it is kept."""
        return self.created_at + timedelta(days=self.principal.retention_days)


class ResponseStore:
    """The responses of one worker on their way into the database."""

    def __init__(self, database: Database, seal: ContentSeal) -> None:
        self._database = database
        self._seal = seal
        self._pending: dict[tuple[str, str], tuple[Kept, asyncio.Event]] = {}
        self._queue: WriteQueue[Kept] = WriteQueue(
            "response", self._write, self._forget, max_count=_WAITING_MAX, max_bytes=_WAITING_MAX_BYTES
        )

    def keep(self, kept: Kept) -> asyncio.Event:
        """Queue a response that ended; returns what is set once it is written."""
        size = len(kept.turn.response) + sum(map(len, kept.turn.input))
        size += kept.events.size if kept.events is not None else 0
        written = asyncio.Event()
        self._pending[kept.key] = (kept, written)
        self._queue.add(kept, size)
        return written

    def pending(self, project_id: str, response_id: str) -> Kept | None:
        """A response that waits to be written."""
        found = self._pending.get((project_id, response_id))
        return None if found is None else found[0]

    def pending_items(self, project_id: str) -> dict[str, Raw]:
        """The items of a project's responses that wait to be written, by their ids."""
        found: dict[str, Raw] = {}
        for kept, _ in self._pending.values():
            if kept.principal.project_id == project_id and kept.full:
                found |= items_by_id(kept.id, kept.turn)
        return found

    async def last_byte(self, kept: Kept) -> None:
        """Store a response that ended. Returns when its caller may have the last byte.

        That is when it is written, if anything can go on with it; while the database is away at once, or when that is
        found out.
        """
        written = self.keep(kept)
        if not kept.full or self._queue.stalled:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_WRITTEN_TIMEOUT_S):
                await written.wait()

    async def written(self, project_id: str, response_id: str, *, timeout_s: float) -> None:
        """Wait until it is written, if it waits for that.

        Raises:
            TimeoutError: it still waits.
        """
        found = self._pending.get((project_id, response_id))
        if found is not None:
            async with asyncio.timeout(timeout_s):
                await found[1].wait()

    async def begin(self, kept: Kept) -> None:
        """Store a response that begins to run in the background.

        Raises:
            DatabaseUnavailableError: it is not stored.
        """
        async with self._database.write() as session, session.begin():
            await responses.save(session, self._row(kept))
            await self._save_events(WriteSession(session), kept)

    async def aclose(self) -> None:
        """Give what waits a last moment."""
        await self._queue.aclose()

    def _forget(self, kept: Kept) -> None:
        found = self._pending.get(kept.key)
        if found is not None and found[0] is kept:
            del self._pending[kept.key]
            found[1].set()
        if kept.lock is not None:
            kept.lock.give_back()  # nothing, unless the response was dropped

    async def _write(self, batch: list[Kept]) -> None:
        async with self._database.write() as session, session.begin():
            for kept in batch:
                await self._write_one(WriteSession(session), kept)
        for kept in batch:
            if kept.lock is not None:
                kept.lock.freed()

    async def _write_one(self, session: WriteSession, kept: Kept) -> None:
        """Nothing is appended to a conversation twice, though a transaction whose end is not known is tried again."""
        row = self._row(kept)
        fresh = await (responses.end if kept.background else responses.save)(session, row)
        if not fresh:
            _log.info("response_not_written", id=kept.id, reason="it is stored already, or was cancelled or deleted")
        else:
            await self._save_events(session, kept)
            if kept.conversation_id is not None and kept.status in _SAID:
                await self._append(session, kept, kept.conversation_id)
        if kept.lock is not None:
            await conversation_locks.free(session, *kept.lock.place)

    async def _save_events(self, session: WriteSession, kept: Kept) -> None:
        if kept.events is not None:
            await save_events(session, self._seal, *kept.key, kept.events)

    async def _append(self, session: WriteSession, kept: Kept, conversation_id: str) -> None:
        project_id = kept.principal.project_id
        items = [*kept.turn.input, *output_of(kept.turn.response)]
        first = await conversations.reserve(
            session, project_id, conversation_id, count=len(items), expires_at=kept.expires_at
        )
        if first is None:
            _log.info("conversation_not_continued", id=conversation_id, reason="it was deleted meanwhile")
            return
        rows = item_rows(self._seal, project_id, conversation_id, first, items)
        await conversations.add_items(session, project_id, conversation_id, rows)

    def _row(self, kept: Kept) -> ResponseRow:
        principal, full = kept.principal, kept.full
        return ResponseRow(
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            id=kept.id,
            key_id=principal.key_id,
            status=responses.RUNNING if kept.worker_id else kept.status,
            outline=outline_of(kept.turn.response),
            content=self._seal.seal_turn(principal.project_id, kept.id, kept.turn) if full else None,
            item_ids=item_ids_of(kept.id, kept.turn) if full else (),
            previous_id=kept.previous_id,
            conversation_id=kept.conversation_id,
            background=kept.background,
            worker_id=kept.worker_id or None,
            created_at=kept.created_at,
            ended_at=None if kept.worker_id else datetime.now(UTC),
            expires_at=kept.expires_at,
        )
