"""The process tree of `tollway serve`: what is started in which order, and stopped in the reverse one."""

import asyncio
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from tollway.config import Settings
from tollway.supervisor.child import Child, ChildSpec
from tollway.supervisor.errors import ChildFailedError
from tollway.supervisor.local_model import LocalModel, prepare_local_model
from tollway.supervisor.port import check_port
from tollway.supervisor.postgres import EmbeddedPostgres

_DRAIN_STOP_TIMEOUT_S = 30.0
"""For the last drain; what it does not manage stays in the journal for the next start."""
_WORKER_STOP_MARGIN_S = 5.0
"""A worker stops by itself within the graceful timeout; this much later it is killed."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DatabaseUrls:
    """The database as its owner, for migrations, and as the workers use it. `repr` hides passwords."""

    owner: str
    app: str

    def __repr__(self) -> str:
        return "DatabaseUrls(…)"


class ProcessTree:
    """All processes of one installation.

    Attributes:
        local_model: the demo model, once it answers.
        workers: the worker processes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._model_start: asyncio.Task[None] | None = None
        self.local_model: LocalModel | None = None
        self.workers: tuple[Child, ...] = ()

    async def start_database(self) -> DatabaseUrls:
        """Start the database, and beside it what needs none.

        Raises:
            StartError: the address is taken, or the embedded database cannot be used.
        """
        await check_port(self._settings.server.host, self._settings.server.port)
        model = prepare_local_model(self._settings.local_model)
        if model:
            self.local_model = model
            self._stack.push_async_callback(model.child.stop)
            self._model_start = asyncio.create_task(self._start_model(model))
        storage = self._settings.storage
        if storage.database_url:
            app_url = storage.database_url.get_secret_value()
            owner = storage.migration_database_url
            return DatabaseUrls(owner.get_secret_value() if owner else app_url, app_url)
        postgres = EmbeddedPostgres(storage.data_dir)
        self._stack.push_async_callback(postgres.stop)
        await postgres.start()
        return DatabaseUrls(postgres.owner_url, postgres.app_url)

    async def start_workers(self, urls: DatabaseUrls) -> None:
        """Start the drain and the workers, and wait until all of them, and the demo model, are ready.

        Raises:
            ChildFailedError: one of them did not come up.
        """
        environment = self._environment(urls)
        # The drain makes tables (partitions), so it knows the owner; the workers do not.
        as_owner = environment | {"TOLLWAY_MIGRATION_DATABASE_URL": urls.owner}
        drain = Child(_module("drain", "tollway.jobs.drain", as_owner, stop_timeout_s=_DRAIN_STOP_TIMEOUT_S))
        self._stack.push_async_callback(drain.stop)
        server = self._settings.server
        stop_timeout_s = server.graceful_timeout_s + _WORKER_STOP_MARGIN_S
        self.workers = tuple(
            Child(_module(f"worker {number}", "tollway.worker", environment, stop_timeout_s=stop_timeout_s))
            for number in range(1, (server.workers or os.cpu_count() or 1) + 1)
        )
        self._stack.push_async_callback(self._stop_workers)
        await asyncio.gather(drain.start(), *(worker.start() for worker in self.workers))
        if self._model_start:
            await self._model_start

    async def stop(self) -> None:
        """Stop what was started, in reverse order: workers, drain, database, demo model."""
        started_at = time.monotonic()
        await self._stack.aclose()
        _log.info("stopped", seconds=round(time.monotonic() - started_at, 2))

    async def _stop_workers(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    async def _start_model(self, model: LocalModel) -> None:
        """Start the demo model; its failure never keeps Tollway from starting."""
        try:
            await model.child.start()
        except ChildFailedError as error:
            _log.warning("the local model does not run", cause=str(error))
            self.local_model = None

    def _environment(self, urls: DatabaseUrls) -> dict[str, str]:
        """The children's environment: ours, with what was given on the command line or found out here."""
        server, storage = self._settings.server, self._settings.storage
        inherited = {name: value for name, value in os.environ.items() if name != "TOLLWAY_MIGRATION_DATABASE_URL"}
        return inherited | {
            "TOLLWAY_DATABASE_URL": urls.app,
            "TOLLWAY_DATA_DIR": str(storage.data_dir.absolute()),
            "TOLLWAY_HOST": server.host,
            "TOLLWAY_PORT": str(server.port),
            "TOLLWAY_WORKERS": str(server.workers),
        }


def _module(name: str, module: str, environment: dict[str, str], *, stop_timeout_s: float) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=(sys.executable, "-m", module),
        environment=environment,
        announces_ready=True,
        stop_timeout_s=stop_timeout_s,
        # Should the supervisor be killed, its successor needs the port and the journal at once. What the requests
        # in flight had used is in the journal.
        death_signal=signal.SIGKILL,
    )
