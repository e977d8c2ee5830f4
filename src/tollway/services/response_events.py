"""Tell the events of responses in the background, while they run and afterwards, to whoever asks any worker."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial

from msgspec import Raw

from tollway.chat.told_event import ENDINGS, ends, numbered, split
from tollway.data import response_events as store
from tollway.data import responses
from tollway.data.session import Database, WriteSession
from tollway.errors import InvalidRequestError, OverloadedError
from tollway.identity.principal import Principal
from tollway.services.content_seal import ContentSeal
from tollway.services.dialogue_fault import bounded, no_response
from tollway.services.event_log import EventBatch, EventLog, save_events
from tollway.services.response_find import ResponseFind

_FOLLOWERS_MAX = 1_000
"""Callers that follow responses in one worker. Those whose response runs elsewhere ask the database again and again."""
_ROWS = 16
"""Read at a time: what is told in some seconds, or a mebibyte and a half."""
_POLL_MIN_S, _POLL_MAX_S = 0.1, 1.0
_CANCELLED = "cancelled"
_LAST_WORDS_S = 2.0
"""The worker of one that is cancelled hears of it in a moment, and stores its last events then."""


class ResponseEvents:
    """The events of one worker's responses, and of all others."""

    def __init__(self, database: Database, seal: ContentSeal, find: ResponseFind) -> None:
        self._database = database
        self._seal = seal
        self._find = find
        self._logs: dict[tuple[str, str], EventLog] = {}
        self._following = 0

    def begin(self, project_id: str, response_id: str) -> EventLog:
        """The log of a response that begins to run here."""
        log = self._logs[project_id, response_id] = EventLog(partial(self._save, project_id, response_id))
        return log

    def end(self, project_id: str, response_id: str) -> None:
        """It runs no more."""
        log = self._logs.pop((project_id, response_id), None)
        if log is not None:
            log.end()

    async def save_last(
        self, principal: Principal, response_id: str, last_events: Callable[[bytes], Awaitable[EventBatch | None]]
    ) -> EventBatch | None:
        """Store the last events of a response that was cancelled; returns them, ``None`` if it has none.

        Args:
            principal: whose it is.
            response_id: of the response.
            last_events: makes them of the response as it is now.

        Raises:
            NotFoundError: it was deleted.
            DatabaseUnavailableError: they are not stored.
        """
        batch = await last_events(await self._find.find(principal, response_id))
        if batch is not None:
            await self._save(principal.project_id, response_id, batch)
        return batch

    async def follow(self, principal: Principal, response_id: str, *, after: int = -1) -> AsyncGenerator[bytes]:
        """Its events behind a number, as they come, to the last one.

        Raises:
            NotFoundError: the project has none of this id.
            InvalidRequestError: it was not streamed in the background.
            OverloadedError: too many follow already.
            DatabaseUnavailableError: it cannot be known.
        """
        log = self._logs.get((principal.project_id, response_id))
        if log is None:
            await self._require_events(principal, response_id)
        if self._following >= _FOLLOWERS_MAX:
            raise OverloadedError(
                "Too many callers follow responses here.", next_step="Poll the response without `stream`."
            )
        return self._told(principal, response_id, log, after + 1)

    async def _save(self, project_id: str, response_id: str, batch: EventBatch) -> None:
        async with bounded("the events"), self._database.write() as session, session.begin():
            await save_events(WriteSession(session), self._seal, project_id, response_id, batch)

    async def _require_events(self, principal: Principal, response_id: str) -> None:
        async with bounded("the response"), self._database.read() as session:
            status = await responses.status(session, principal.project_id, response_id)
            rows = await store.read(session, principal.project_id, response_id, number=0, limit=1)
        if status is None:
            raise no_response(principal, response_id)
        if not rows:
            raise InvalidRequestError(
                "Only a response that was made with `background: true` and `stream: true` can be streamed again.",
                next_step="Leave `stream` out.",
                param="stream",
            )

    async def _told(
        self, principal: Principal, response_id: str, log: EventLog | None, number: int
    ) -> AsyncGenerator[bytes]:
        self._following += 1
        try:
            while log is not None and (events := log.since(number)) is not None:
                if events:
                    number += len(events)
                    yield b"".join(events)
                elif log.ended:
                    return
                else:
                    await log.changed()
            async with aclosing(self._stored(principal, response_id, number)) as stored:
                async for events in stored:
                    yield b"".join(events)
        finally:
            self._following -= 1

    async def _stored(self, principal: Principal, response_id: str, number: int) -> AsyncGenerator[list[bytes]]:
        """Events out of the database, until there are no more.

        How it ended may not be among them, if its worker could not say so: then its state tells it.
        """
        project_id, pause_s, give_up_s = principal.project_id, _POLL_MIN_S, 0.0
        while True:
            async with bounded("the events"), self._database.read() as session:
                status = await responses.status(session, project_id, response_id)  # first: then all events are there
                rows = await store.read(session, project_id, response_id, number=number, limit=_ROWS)
            for row in rows:
                opened = split(self._seal.open_events(project_id, response_id, row.first_number, row.content))
                events = opened[max(number - row.first_number, 0) :]
                number, pause_s = row.last_number + 1, _POLL_MIN_S
                yield events
            if rows:
                continue
            if status != responses.RUNNING:
                if status not in ENDINGS or not await self._lacks_end(project_id, response_id, number):
                    return
                give_up_s = give_up_s or time.monotonic() + _LAST_WORDS_S
                if status != _CANCELLED or time.monotonic() > give_up_s:
                    break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _POLL_MAX_S)
        yield [numbered(ENDINGS[status], {"response": Raw(await self._find.find(principal, response_id))}, number)]

    async def _lacks_end(self, project_id: str, response_id: str, number: int) -> bool:
        """Whether the event before a number is the last one that is stored, and does not tell how all ended."""
        async with bounded("the events"), self._database.read() as session:
            rows = await store.read(session, project_id, response_id, number=number - 1, limit=1)
        if not rows:  # whoever asks was told the end already
            return False
        opened = split(self._seal.open_events(project_id, response_id, rows[0].first_number, rows[0].content))
        return rows[0].last_number == number - 1 and not ends(opened[-1])
