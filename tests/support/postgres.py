"""A PostgreSQL server for the tests, and fresh databases on it."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from support.waiting import wait_until
from tollway.services.migrate import migrate
from tollway.supervisor.postgres import APP_ROLE, OWNER_ROLE, EmbeddedPostgres

TEMPLATE = "tollway_template"


@dataclass(frozen=True)
class DatabaseUrls:
    """One test database: as its owner, and as the role that workers use."""

    name: str
    owner: str
    app: str


class Reader:
    """Asks a database again and again over one connection, and over a new one where the server ended that."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def query(self, statement: str, values: Sequence[object]) -> list[dict[str, Any]]:
        """The rows that a statement returns."""
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(psycopg.OperationalError):
                    return self._ask(statement, values)
                self._close()
            return self._ask(statement, values)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _ask(self, statement: str, values: Sequence[object]) -> list[dict[str, Any]]:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row)
        return self._connection.execute(statement.encode(), values).fetchall()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresServer:
    """The embedded server, for synchronous fixtures.

    Its event loop runs in a thread all the time: somebody must read what the server logs, or the pipe fills and the
    server waits for ever.
    """

    def __init__(self, data_dir: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres", daemon=True)
        self._thread.start()
        self._server = EmbeddedPostgres(data_dir, volatile=True)
        self._numbers = itertools.count(1)
        self._has_template = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Start, also after `stop`."""
        self._run(self._server.start())

    def stop(self) -> None:
        """Stop, as in an outage; the data stays."""
        self._run(self._server.stop())

    def is_running(self) -> bool:
        """Whether it takes connections."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Kill it; it starts again by itself, as the embedded server of an installation does."""
        psutil.Process(self._server_id()).kill()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still: connections stay open, nobody answers."""
        server = psutil.Process(self._server_id())
        server.suspend()  # first, so that it makes no more of them
        stopped = [server, *server.children(recursive=True)]
        for process in stopped[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def execute(self, statement: str) -> None:
        """Run a statement as the owner of everything, in no transaction."""
        self._execute(sql.SQL(statement))  # type: ignore[arg-type]  # psycopg wants a literal

    def create(self, *, migrated: bool = True) -> DatabaseUrls:
        """A fresh database: a copy of the migrated template, or an empty one."""
        if migrated and not self._has_template:
            self._migrate_template()
        name = f"test_{next(self._numbers)}"
        self._create(name, template=TEMPLATE if migrated else "template1")
        return self._urls(name)

    def drop(self, urls: DatabaseUrls) -> None:
        """Remove a database, with whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(urls.name)))

    def _server_id(self) -> int:
        process_id = self._server.process_id
        assert process_id, "the server does not run"
        return process_id

    def _migrate_template(self) -> None:
        self._create(TEMPLATE, template="template1")
        migrate(self._urls(TEMPLATE).owner)
        self._has_template = True

    def _urls(self, name: str) -> DatabaseUrls:
        return DatabaseUrls(name, self._server.url(OWNER_ROLE, name), self._server.url(APP_ROLE, name))

    def _create(self, name: str, *, template: str) -> None:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def _execute(self, statement: sql.Composable) -> None:
        """Run it, as soon as nobody uses the database that it is about: whoever was told to leave may take a while."""
        wait_until(lambda: self._executed(statement), what="a database that nobody uses")

    def _executed(self, statement: sql.Composable) -> bool:
        with psycopg.connect(self._server.url(OWNER_ROLE, "postgres"), autocommit=True) as connection:
            try:
                connection.execute(statement)
            except psycopg.errors.ObjectInUse:
                return False
        return True

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
