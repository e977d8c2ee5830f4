"""Everything that runs in a chaos run: real processes, and proxies between them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.rows import DictRow, dict_row

from chaos.books import Books
from chaos.cast import CALLERS, PROVIDER
from chaos.proxy import Proxy
from chaos.schedule import Database, Plan
from chaos.small_disk import small_disk
from support.gateway import Gateway
from support.postgres import DatabaseUrls, PostgresServer
from tollway.journal.segment import journal_directory
from tollway.supervisor.orphans import find_orphans
from tollway.supervisor.postgres import EmbeddedPostgres

WORKERS = 4
_STOPPED_BY_FORCE_S = 30.0
_THERE_AGAIN_WITHIN_S = 90.0
"""A killed server reads its log again, on a machine that does ten things at once."""
_LOOKS_EVERY_S = 0.2
_SOCKET_NAME = ".s.PGSQL.5432"
_SETTINGS = {
    "TOLLWAY_WORKERS": str(WORKERS),
    "TOLLWAY_DRAIN_INTERVAL_MS": "50",
    "TOLLWAY_READ_TIMEOUT_S": "4",
    "TOLLWAY_JOURNAL_SEGMENT_BYTES": str(256 * 1024),
    "COVERAGE_PROCESS_CONFIG": "",  # not measured: the processes are killed
}


@dataclass
class World:
    """A running Tollway with everything around it.

    Attributes:
        gateway: `tollway serve`.
        books: what the provider billed.
        database_dir: of the PostgreSQL server.
        owner_url: the database past every proxy, as its owner.
        callers, provider, database: the proxies; without `database` Tollway runs the embedded server.
        disk: where the journal's own small disk is mounted, if it has one.
        keys: of the callers, by name.
    """

    gateway: Gateway
    books: Books
    database_dir: Path
    owner_url: str
    callers: Proxy
    provider: Proxy
    database: Proxy | None
    disk: Path | None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where callers send to."""
        return f"http://127.0.0.1:{self.callers.listen}"

    def postgres_processes(self) -> list[int]:
        """Process ids of the server and its backends, the server first; empty while there is none."""
        try:
            postmaster = (self.database_dir / "postmaster.pid").read_text().split("\n", 1)[0]
        except FileNotFoundError:
            return []
        return sorted(
            find_orphans(self.database_dir), key=lambda process_id: (str(process_id) != postmaster, process_id)
        )

    def furnish(self) -> None:
        """The provider with its prices, the projects, the keys."""
        gateway = self.gateway
        gateway.add_provider(PROVIDER, f"http://127.0.0.1:{self.provider.listen}/v1")
        gateway.set_price(PROVIDER, "*")
        for project in sorted({caller.project for caller in CALLERS}):
            gateway.admin("POST", "/projects", {"name": project})
        self.keys = {caller.name: gateway.new_key(caller.project, name=caller.name) for caller in CALLERS}

    def rows(self, sql: str, *values: object) -> list[DictRow]:
        """Ask the database past every proxy, once it is there again."""
        give_up_s = time.monotonic() + _THERE_AGAIN_WITHIN_S
        while True:
            try:
                with psycopg.connect(self.owner_url, row_factory=dict_row, connect_timeout=10) as connection:
                    return connection.execute(sql.encode(), values).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > give_up_s:
                    raise
            time.sleep(_LOOKS_EVERY_S)

    @asynccontextmanager
    async def database_again(self) -> AsyncIterator[None]:
        """The database, when Tollway has stopped and the embedded server with it."""
        if self.database:
            yield
            return
        async with EmbeddedPostgres(self.gateway.data_dir):
            yield


@asynccontextmanager
async def running_world(plan: Plan, folder: Path, *, with_small_disk: bool) -> AsyncIterator[World]:
    """Start everything; stop everything that is left at the end."""
    async with contextlib.AsyncExitStack() as stack:
        books = Books(folder / "provider.log")
        provider = await stack.enter_async_context(Proxy(stack.enter_context(_provider_port(books.path))))
        data_dir = folder / "data"
        if with_small_disk:
            stack.enter_context(small_disk(journal_directory(data_dir)))
        database, owner_url, urls = None, EmbeddedPostgres(data_dir).owner_url, DatabaseUrls("", "", "")
        if plan.database is Database.PROXIED:
            server = stack.enter_context(PostgresServer(folder / "server"))
            direct = await asyncio.to_thread(server.create, migrated=False)
            owner_url = direct.owner
            database, urls = await stack.enter_async_context(_database_proxy(direct, folder))
        gateway = Gateway(data_dir, urls, _SETTINGS)
        stack.callback(end, gateway)
        await asyncio.to_thread(gateway.start)
        world = World(
            gateway=gateway,
            books=books,
            database_dir=(folder / "server" if database else data_dir) / "postgres" / "data",
            owner_url=owner_url,
            callers=await stack.enter_async_context(Proxy(gateway.port)),
            provider=provider,
            database=database,
            disk=journal_directory(data_dir) if with_small_disk else None,
        )
        await asyncio.to_thread(world.furnish)
        yield world


def end(gateway: Gateway) -> None:
    """End Tollway whatever state it is in."""
    if gateway.process.poll() is None:
        gateway.process.send_signal(signal.SIGTERM)
        try:
            gateway.process.wait(_STOPPED_BY_FORCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(gateway.process.pid, signal.SIGKILL)
            gateway.process.wait()
    gateway.close()


@contextmanager
def _provider_port(log: Path) -> Iterator[int]:
    log.touch()
    command = (sys.executable, "-m", "chaos.provider", str(log))
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": tests}) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@asynccontextmanager
async def _database_proxy(direct: DatabaseUrls, folder: Path) -> AsyncIterator[tuple[Proxy, DatabaseUrls]]:
    """A proxy before the server's Unix socket, and the URLs that lead through it."""
    behind = folder / "server" / "postgres" / "run"
    through = folder / "through"
    through.mkdir(mode=0o700)
    async with Proxy(behind / _SOCKET_NAME, listen=through / _SOCKET_NAME) as proxy:
        assert str(behind) in direct.app, "the path of the server's socket is too long"
        urls = (url.replace(str(behind), str(through)) for url in (direct.owner, direct.app))
        yield proxy, DatabaseUrls(direct.name, *urls)
