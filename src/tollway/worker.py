"""One worker process: an event loop, a listener shared with the other workers, a journal of its own.

The supervisor starts it as ``python -m tollway.worker`` and tells it everything by the environment.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import uuid
from collections.abc import Coroutine
from pathlib import Path

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from tollway.api.inference.conversations import ConversationEndpoints
from tollway.api.inference.data_plane import DataPlane
from tollway.api.inference.models import ModelList
from tollway.api.inference.objects import ObjectEndpoints
from tollway.api.inference.responses import ResponseEndpoints
from tollway.api.inference.stored import Stored
from tollway.app import Tollway, create_control_plane
from tollway.config import WORKER_NUMBER_VARIABLE, Settings, load_settings
from tollway.errors import TollwayError
from tollway.factory.context import ProcessContext
from tollway.factory.worker import Inference, WorkerFactory
from tollway.journal.segment import journal_directory
from tollway.journal.writer import JournalWriter
from tollway.services.inference.background import Backgrounds
from tollway.services.inference.input_count import InputCount
from tollway.supervisor.gate import wait_for_start
from tollway.supervisor.readiness import announce_ready
from tollway.telemetry.access import AccessLog
from tollway.telemetry.logs import configure_logs, is_pretty
from tollway.telemetry.metrics import Metrics
from tollway.telemetry.observer import Observer

_BACKLOG = 2_048
"""Connections that wait for the worker to accept them."""
_SPARE_REQUESTS = 256
"""Requests beyond the limit that still reach the pipeline, so that they are refused in words."""
_LAST_WORDS_S = 1.0
"""For requests that were cut: time to write their entries and tell their callers."""

_GC_ALLOCATIONS = 20_000
"""Objects allocated and not freed between two looks of the garbage collector; Python's default of 700 comes around
every few requests."""

_THREADS_STARTED_S = 0.1
"""By then the server's threads are there; later is only slower."""

_log = structlog.get_logger(__name__)


class Worker:
    """Serves until told to stop, then ends what runs and exits.

    Attributes:
        failed: whether it stopped because a part of it died; the supervisor starts another in its place.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self.failed = False

    def stop(self) -> None:
        """Begin to stop."""
        self._stopping.set()

    async def run(self) -> None:
        """The life of the worker."""
        storage = self._settings.storage
        context = ProcessContext.create(self._settings)
        worker_id = str(uuid.uuid4())
        journal = JournalWriter(
            journal_directory(storage.data_dir),
            worker_id=worker_id,
            segment_bytes=storage.journal_segment_bytes,
            max_bytes=storage.journal_max_bytes,
            writers=self._settings.server.worker_count,
            fsync_interval_s=storage.journal_fsync_interval_ms / 1_000,
        )
        metrics = Metrics(storage.data_dir, int(os.environ.get(WORKER_NUMBER_VARIABLE, "1")))
        access_log = AccessLog(enabled=self._settings.logs.access_log, pretty=is_pretty(self._settings.logs))
        observer = Observer(access_log, metrics)
        factory = WorkerFactory(context)
        inference = factory.inference(journal, observer, worker_id)
        try:
            with contextlib.suppress(TollwayError):  # without a database it starts all the same, and says "not ready"
                await inference.live.refresh()
            live, leases, health = inference.live, inference.leases, inference.health
            parts = (live.run(), leases.run(), health.run(), observer.run(), journal.watch())
            background = [self._keep(part) for part in parts]
            await self._serve(factory, inference, observer, metrics, journal)
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        finally:
            await inference.shadows.aclose()
            inference.recorder.flush()
            observer.flush()
            await inference.leases.aclose()
            await journal.aclose()
            await inference.idempotency_endings.aclose()
            await inference.dialogues.aclose()
            await inference.cache.aclose()
            inference.sign_in.close()
            await inference.transport.aclose()
            await context.aclose()

    async def _serve(
        self, factory: WorkerFactory, inference: Inference, observer: Observer, metrics: Metrics, journal: JournalWriter
    ) -> None:
        limits, address = self._settings.limits, self._settings.server
        data_plane = DataPlane(
            pipeline=inference.pipeline,
            dialogues=inference.dialogues,
            stored=_stored(factory, inference),
            idempotent=inference.idempotent,
            models=ModelList(inference.authenticator, inference.live),
            observer=observer,
            limits=limits,
        )

        async def configuration() -> str:
            return "" if inference.live.loaded else "The configuration was not read yet: the database is away."

        async def stopping() -> str:
            return "This worker is stopping." if inference.places.closed else ""

        async def recording() -> str:
            return journal.fault()

        control_plane = create_control_plane(
            factory,
            limits,
            metrics,
            required={"configuration": configuration, "worker": stopping, "journal": recording},
            wanted={"database": factory.database_check().fault},
        )
        server = Server(
            Tollway(data_plane, control_plane),
            address=address.host,
            port=address.port,
            interface=Interfaces.ASGINL,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=limits.max_concurrent_requests + _SPARE_REQUESTS,
            log_enabled=False,
        )
        serving = asyncio.create_task(server.serve())
        while not server.wrks and not serving.done():  # noqa: ASYNC110 -- the server has no event for it
            await asyncio.sleep(0)
        watching = self._keep(data_plane.watch())
        _settle_garbage_collector()
        asyncio.get_running_loop().call_later(_THREADS_STARTED_S, _let_event_loop_run_on)
        announce_ready()
        await asyncio.wait({serving, asyncio.create_task(self._stopping.wait())}, return_when=asyncio.FIRST_COMPLETED)
        inference.places.closed = True
        await self._finish(data_plane, inference.dialogues.backgrounds)
        watching.cancel()
        server.stop()  # type: ignore[no-untyped-call]  # the library has no types here
        await serving

    def _keep(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start work that must go on as long as the worker: should it end, the worker does too."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._stopping.is_set():
            _log.error("worker_part_died", exc_info=task.exception())
            self.failed = True
            self.stop()

    async def _finish(self, data_plane: DataPlane, backgrounds: Backgrounds) -> None:
        """Wait for running requests; cut those that take too long."""
        timeout_s = self._settings.server.graceful_timeout_s
        idle, _ = await asyncio.gather(data_plane.idle(timeout_s), backgrounds.idle(timeout_s))
        if not idle:
            _log.warning("requests_cut", after_s=timeout_s)
            data_plane.cut()
            await data_plane.idle(_LAST_WORDS_S)
        await backgrounds.aclose()


def _stored(factory: WorkerFactory, inference: Inference) -> Stored:
    responses = ResponseEndpoints(
        factory.response_find(inference.dialogues.store),
        factory.response_remove(inference.dialogues.store),
        inference.dialogues.events,
        InputCount(inference.dialogues, inference.dialogues.counting),
    )
    conversations = ConversationEndpoints(factory.conversation_find(), factory.conversation_change())
    objects = ObjectEndpoints(factory.provider_objects(inference))
    return Stored(inference.visits, (*responses.routes, *conversations.routes, *objects.routes))


def _settle_garbage_collector() -> None:
    """Never look again at what lives as long as the process, and seldom at what a request leaves behind: no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS)


def _let_event_loop_run_on() -> None:
    """Keep the server's own threads from interrupting the event loop each time they are woken.

    With a core to itself a worker shares it among its event loop and the threads that read and write its sockets. Those
    are woken for every message and by default preempt the loop in mid-request; as batch threads they take their turn
    when it waits. Measured on one core: 10 to 20 % less CPU a request, and a lower p99. Needs no privilege.
    """
    for thread in Path("/proc/self/task").iterdir():
        if thread.name != str(os.getpid()):
            with contextlib.suppress(OSError):  # it ended, or this system does not allow it: only speed is lost
                os.sched_setscheduler(int(thread.name), os.SCHED_BATCH, os.sched_param(0))


async def _main(settings: Settings) -> None:
    worker = Worker(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run()
    if worker.failed:
        sys.exit(1)


def main() -> None:
    """Run a worker with the settings of the environment."""
    wait_for_start()
    settings = load_settings()
    configure_logs(settings.logs)
    uvloop.run(_main(settings))


if __name__ == "__main__":
    main()
