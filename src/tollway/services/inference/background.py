"""Responses that run on without their callers, in the worker that was asked.

A row in the database stands for each from the beginning, so that any worker tells its state and any worker can have it
cancelled. When the worker dies, whoever gives it up marks what ran in it as failed.
"""

import asyncio
from contextlib import suppress

import structlog
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.dialect import KeepingDialect
from tollway.chat.told_event import BEGINNINGS, numbered
from tollway.chat.turn import Turn
from tollway.data import responses
from tollway.data.changes import ALL, Change
from tollway.data.session import Database
from tollway.errors import TollwayError
from tollway.routing.call import Call
from tollway.services.dialogue_fault import bounded
from tollway.services.inference.background_caller import Collected, Logged
from tollway.services.inference.exchange import Inbound
from tollway.services.inference.pipeline import Pipeline
from tollway.services.response_events import ResponseEvents
from tollway.services.response_remove import ResponseRemove
from tollway.services.response_store import Kept, ResponseStore

_REFUSED_WITHIN_S = 0.05
"""A request that is refused before anything is asked of a provider is refused within this time, without any I/O."""
_LAST_WORDS_S = 1.0
_log = structlog.get_logger(__name__)


class Backgrounds:
    """What runs in the background of one worker."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        store: ResponseStore,
        events: ResponseEvents,
        remove: ResponseRemove,
        database: Database,
        worker_id: str,
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._events = events
        self._remove = remove
        self._database = database
        self._worker_id = worker_id
        self._running: dict[tuple[str, str], tuple[asyncio.Task[TollwayError | None], Collected]] = {}
        self._stopping = False

    async def start(self, inbound: Inbound, dialect: KeepingDialect, call: Call, body: bytes, kept: Kept) -> bytes:
        """Begin a response; returns it as it is now.

        Raises:
            TollwayError: it was refused before a provider was asked; nothing is kept.
            DatabaseUnavailableError: it cannot be kept, so it does not run.
        """
        queued = dialect.state_body(call, "queued")
        running = replace(
            kept,
            turn=Turn(kept.turn.input, Raw(dialect.state_body(call, responses.RUNNING))),
            worker_id=self._worker_id,
        )
        caller: Collected = Collected(body)
        if call.stream:
            log = self._events.begin(*kept.key)
            for kind in BEGINNINGS:
                log.add(numbered(kind, {"response": Raw(queued)}, log.next_number))
            running = replace(running, events=log.unwritten)
            caller = Logged(body, log)
        try:
            await self._begin(inbound, dialect, call, caller, running)
        except BaseException:  # whoever follows its events must not wait for ever
            self._events.end(*kept.key)
            raise
        return queued

    async def _begin(
        self, inbound: Inbound, dialect: KeepingDialect, call: Call, caller: Collected, running: Kept
    ) -> None:
        async with bounded("whether it can be kept"):
            await self._store.begin(running)
        if running.events is not None:
            caller.begun(running.events)
        kept = replace(running, worker_id="", events=None)
        task = asyncio.create_task(self._run(inbound, dialect, call, caller, kept))
        self._running[kept.key] = (task, caller)
        task.add_done_callback(lambda _: self._running.pop(kept.key, None))
        await asyncio.wait({task}, timeout=_REFUSED_WITHIN_S)
        caller.answered = True
        if task.done() and not task.cancelled() and (refusal := task.result()) is not None:
            await self._remove.remove(kept.principal, kept.id)
            raise refusal

    async def follow(self, change: Change) -> None:
        """Stop what was cancelled in another worker."""
        known = set(self._running)  # before it is asked: what begins meanwhile is not in its answer
        if change.noun == "response":
            known = {key for key in known if key[1] == change.id}  # another project may have one of the same id
        elif change.noun != ALL:
            return
        if known:
            async with self._database.read() as session:
                still = await responses.running_of(session, self._worker_id)
            self._stop(known - still)

    async def idle(self, timeout_s: float) -> None:
        """Wait for what runs."""
        if self._running:
            await asyncio.wait([task for task, _ in self._running.values()], timeout=timeout_s)

    async def aclose(self) -> None:
        """End what still runs: it is marked as failed."""
        self._stopping = True
        self._stop(set(self._running))
        await self.idle(_LAST_WORDS_S)

    def _stop(self, keys: set[tuple[str, str]]) -> None:
        for task, caller in [self._running[key] for key in keys & self._running.keys()]:
            caller.left = True
            task.cancel()

    async def _tell_cancelled(self, caller: Collected, kept: Kept) -> None:
        """Tell its end to those who follow it here, and store it for the others."""
        try:
            with suppress(TollwayError):  # it was deleted, or its state has to tell it
                events = await self._events.save_last(kept.principal, kept.id, caller.last_events)
                if events is not None:
                    caller.ended(events)
        finally:
            self._events.end(*kept.key)

    async def _run(
        self, inbound: Inbound, dialect: KeepingDialect, call: Call, caller: Collected, kept: Kept
    ) -> TollwayError | None:
        """Run it to its end and keep that; returns why it was refused, if that was before a provider was asked."""
        try:
            await self._pipeline.run(inbound, caller)
            response = caller.response(dialect, call)
        except asyncio.CancelledError:
            if not self._stopping:  # its row says so already
                if kept.lock is not None:
                    kept.lock.give_back()
                await self._tell_cancelled(caller, kept)
                raise
            response = dialect.state_body(call, "failed", ("server_error", "The worker that ran it stopped."))
        except TollwayError as error:
            if not error.in_ledger and not caller.answered:
                return error
            response = dialect.state_body(call, "failed", (error.code, error.text))
        except Exception:  # noqa: BLE001 -- a defect of ours: the response fails, the log gets the cause
            _log.exception("defect", request_id=inbound.request_id)
            response = dialect.state_body(call, "failed", ("server_error", "Tollway failed to run this response."))
        events = await caller.last_events(response)
        await self._store.last_byte(replace(kept, turn=Turn(kept.turn.input, Raw(response)), events=events))
        if events is not None:
            caller.ended(events)
        self._events.end(*kept.key)
        return None
