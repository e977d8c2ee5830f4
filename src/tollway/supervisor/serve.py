"""`tollway serve`: start everything, say so, wait for a signal, stop everything."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from tollway.config import Settings
from tollway.data.session import Database, create_engine
from tollway.identity.vault import Vault
from tollway.providers.registry import LOCAL
from tollway.services.first_start import FILE_NAME, FirstKeys, FirstStart
from tollway.services.machine_providers import MachineProviders
from tollway.services.migrate import migrate
from tollway.services.secret_keys import load_secret_keys
from tollway.supervisor.lock import DataDirLock
from tollway.supervisor.tree import DatabaseUrls, ProcessTree

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Announcement:
    """What runs, for the person who started it.

    Attributes:
        url: where it answers.
        data_dir: where its data lies.
        keys_file: where the first keys are kept.
        keys: the first keys, at the first start only.
        model: ``provider/model`` of the demo model, if it runs.
        providers: names of the providers that the environment brought.
        workers: how many.
        is_database_embedded: whether the database is ours.
        start_s: seconds it took.
    """

    url: str
    data_dir: Path
    keys_file: Path
    keys: FirstKeys | None
    model: str | None
    providers: tuple[str, ...]
    workers: int
    is_database_embedded: bool
    start_s: float


async def serve(settings: Settings, announce: Callable[[Announcement], None]) -> None:
    """Run Tollway until SIGTERM or SIGINT, then stop all of it in order.

    Args:
        settings: of this installation.
        announce: called once, when requests are answered.

    Raises:
        StartError: it cannot start; the message is for the operator.
        TollwayError: the database cannot be used, or has a newer schema.
        ValueError: the secret keys cannot be used.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with DataDirLock(settings.storage.data_dir):
        tree = ProcessTree(settings)
        starting = asyncio.create_task(_start(settings, tree))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                announce(starting.result())
                await stopping
            _log.info("stopping")
        finally:
            starting.cancel()
            stopping.cancel()
            await asyncio.wait((starting, stopping))
            await tree.stop()


async def _start(settings: Settings, tree: ProcessTree) -> Announcement:
    started_at = time.monotonic()
    urls = await tree.start_database()
    await asyncio.to_thread(migrate, urls.owner)
    keys, providers = await _fill(settings, tree, urls)
    await tree.start_workers(urls)
    storage = settings.storage
    return Announcement(
        url=public_url(settings),
        data_dir=storage.data_dir.absolute(),
        keys_file=storage.data_dir.absolute() / FILE_NAME,
        keys=keys,
        model=f"{LOCAL.name}/{tree.local_model.name}" if tree.local_model else None,
        providers=providers,
        workers=len(tree.workers),
        is_database_embedded=storage.database_url is None,
        start_s=time.monotonic() - started_at,
    )


async def _fill(settings: Settings, tree: ProcessTree, urls: DatabaseUrls) -> tuple[FirstKeys | None, tuple[str, ...]]:
    """Put into the database what a start brings: the first keys, and the providers of this machine."""
    storage = settings.storage
    secret_keys = load_secret_keys(settings.secrets, storage.data_dir)
    database = Database(create_engine(urls.app, pool_size=1, timeout_s=storage.database_timeout_s))
    try:
        first = FirstStart(database, pepper=secret_keys.pepper, data_dir=storage.data_dir)
        keys = await first.ensure(public_url(settings))
        machine = MachineProviders(database, Vault(secret_keys.master))
        names = await machine.register(os.environ)
        if tree.local_model:
            model = tree.local_model
            await machine.register_local(base_url=model.base_url, api_key=model.api_key, model=model.name)
        return keys, names
    finally:
        await database.close()


def public_url(settings: Settings) -> str:
    """The address as a client on this machine writes it."""
    host = settings.server.host
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 -- read, not bound
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"
