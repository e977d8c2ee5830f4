"""The process tree of `tollway serve`: what is started in which order, and stopped in the reverse one."""

import asyncio
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
import structlog

from tollway.config import WORKER_NUMBER_VARIABLE, Settings
from tollway.constants import LEASE_CONNECTIONS
from tollway.supervisor.child import Child, ChildSpec
from tollway.supervisor.errors import ChildFailedError, StartError
from tollway.supervisor.gate import Gate
from tollway.supervisor.local_model import LocalModel, prepare_local_model
from tollway.supervisor.port import check_port
from tollway.supervisor.postgres import CONNECTIONS_MIN, EmbeddedPostgres
from tollway.supervisor.prepared import (
    LOCAL_BASE_URL_VARIABLE,
    LOCAL_KEY_VARIABLE,
    LOCAL_NAME_VARIABLE,
    Prepared,
    Report,
)

_DRAIN_STOP_TIMEOUT_S = 30.0
"""For the last drain; what it does not manage stays in the journal for the next start."""
_WORKER_STOP_MARGIN_S = 5.0
"""A worker stops by itself within the graceful timeout; this much later it is killed."""
_SPARE_CONNECTIONS = 20
"""For the command line, backups and people."""
_OWNER_URL_VARIABLE = "TOLLWAY_MIGRATION_DATABASE_URL"
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

    Everything is started at once, and loads its code while the database starts; the gate opens when the database is
    prepared.

    Attributes:
        local_model: the demo model, unless it is absent or did not start.
        workers: the worker processes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._database_gate = Gate()
        self._workers_gate = Gate()
        self.local_model: LocalModel | None = None
        self.workers: tuple[Child, ...] = ()

    async def start(self) -> Prepared:
        """Start all, and wait until all are ready.

        Raises:
            StartError: something did not come up.
        """
        server = self._settings.server
        for gate in (self._database_gate, self._workers_gate):
            self._stack.callback(gate.close)
        await check_port(server.host, server.port)
        self.local_model = prepare_local_model(self._settings.local_model)
        postgres, urls = self._database()
        drain = self._drain(urls)
        self.workers = self._make_workers(urls)
        self._stack.push_async_callback(drain.stop)
        self._stack.push_async_callback(self._stop_workers)
        children = (child.start() for child in (drain, *self.workers))
        prepared, _, _ = await asyncio.gather(
            self._prepare(postgres, urls), self._start_model(), asyncio.gather(*children)
        )
        return prepared if self.local_model else msgspec.structs.replace(prepared, model=None)

    async def stop(self) -> None:
        """Stop what was started, in reverse order: workers, drain, demo model, database."""
        started_at = time.monotonic()
        await self._stack.aclose()
        _log.info("stopped", seconds=round(time.monotonic() - started_at, 2))

    async def _stop_workers(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self.workers))

    def _database(self) -> tuple[EmbeddedPostgres | None, DatabaseUrls]:
        """The embedded database, if none is given, and how to reach the database."""
        storage = self._settings.storage
        if storage.database_url:
            app_url = storage.database_url.get_secret_value()
            owner = storage.migration_database_url
            return None, DatabaseUrls(owner.get_secret_value() if owner else app_url, app_url)
        postgres = EmbeddedPostgres(storage.data_dir, connections=connections_of(self._settings))
        self._stack.push_async_callback(postgres.stop)
        return postgres, DatabaseUrls(postgres.owner_url, postgres.app_url)

    async def _prepare(self, postgres: EmbeddedPostgres | None, urls: DatabaseUrls) -> Prepared:
        """Start the database, have it prepared, then let drain and workers go.

        Raises:
            StartError: the database cannot be used; the message says why.
        """
        environment = self._environment(urls) | {_OWNER_URL_VARIABLE: urls.owner}
        if self.local_model:
            environment[LOCAL_BASE_URL_VARIABLE] = self.local_model.base_url
            environment[LOCAL_KEY_VARIABLE] = self.local_model.api_key
            environment[LOCAL_NAME_VARIABLE] = self.local_model.name
        job = Child(_module("prepare", "tollway.jobs.prepare", environment, self._database_gate))
        self._stack.push_async_callback(job.stop)
        running = asyncio.create_task(job.run())
        if postgres:
            await postgres.start()
        self._database_gate.open()
        code, words = await running
        if not words:
            raise StartError(f"The database could not be prepared (exit code {code}). The log tells why.")
        report = msgspec.json.decode(words, type=Report)
        if report.prepared is None:
            raise StartError(report.failure)
        self._workers_gate.open()
        return report.prepared

    async def _start_model(self) -> None:
        """Start the demo model; its failure never keeps Tollway from starting."""
        if self.local_model is None:
            return
        self._stack.push_async_callback(self.local_model.child.stop)
        try:
            await self.local_model.child.start()
        except ChildFailedError as error:
            _log.warning("local_model_failed", reason=str(error))
            self.local_model = None

    def _drain(self, urls: DatabaseUrls) -> Child:
        environment, gate = self._environment(urls), self._workers_gate
        return Child(_module("drain", "tollway.jobs.drain", environment, gate, stop_timeout_s=_DRAIN_STOP_TIMEOUT_S))

    def _make_workers(self, urls: DatabaseUrls) -> tuple[Child, ...]:
        server = self._settings.server
        environment = self._environment(urls)
        stop_timeout_s = server.graceful_timeout_s + _WORKER_STOP_MARGIN_S
        return tuple(
            Child(
                _module(
                    f"worker {number}",
                    "tollway.worker",
                    environment | {WORKER_NUMBER_VARIABLE: str(number)},
                    self._workers_gate,
                    stop_timeout_s=stop_timeout_s,
                )
            )
            for number in range(1, server.worker_count + 1)
        )

    def _environment(self, urls: DatabaseUrls) -> dict[str, str]:
        """The children's environment: ours, with what was given on the command line or found out here."""
        server, storage = self._settings.server, self._settings.storage
        inherited = {name: value for name, value in os.environ.items() if name != _OWNER_URL_VARIABLE}
        return inherited | {
            "TOLLWAY_DATABASE_URL": urls.app,
            "TOLLWAY_DATA_DIR": str(storage.data_dir.absolute()),
            "TOLLWAY_HOST": server.host,
            "TOLLWAY_PORT": str(server.port),
            "TOLLWAY_WORKERS": str(server.workers),
        }


def connections_of(settings: Settings) -> int:
    """Connections that the embedded database must allow: what the workers and the drain may hold, and some to spare."""
    each = settings.storage.database_pool_size + LEASE_CONNECTIONS + 1  # the one that listens for changes
    return max(each * (settings.server.worker_count + 1) + _SPARE_CONNECTIONS, CONNECTIONS_MIN)


def _module(
    name: str, module: str, environment: dict[str, str], gate: Gate, *, stop_timeout_s: float = 10.0
) -> ChildSpec:
    return ChildSpec(
        name=name,
        # -P: the present directory is no place to import from
        command=(sys.executable, "-P", "-m", "tollway.supervisor.load", module),
        environment=environment | gate.environment,
        inherited_fds=(gate.read_fd,),
        announces_ready=True,
        ready_timeout_s=150.0,  # the gate may open late: the database recovers first
        stop_timeout_s=stop_timeout_s,
        # Should the supervisor be killed, its successor needs the port and the journal at once. What the requests
        # in flight had used is in the journal.
        death_signal=signal.SIGKILL,
    )
