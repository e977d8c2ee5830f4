"""`tollway serve`: start everything, say so, wait for a signal, stop everything."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from tollway.config import Settings
from tollway.services.first_keys import FILE_NAME
from tollway.supervisor.lock import DataDirLock
from tollway.supervisor.prepared import Prepared
from tollway.supervisor.tree import ProcessTree

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Announcement:
    """What runs, for the person who started it.

    Attributes:
        url: where it answers.
        data_dir: where its data lies.
        keys_file: where the first keys are kept.
        prepared: keys, providers and model.
        workers: how many.
        is_database_embedded: whether the database is ours.
        start_s: seconds it took.
    """

    url: str
    data_dir: Path
    keys_file: Path
    prepared: Prepared
    workers: int
    is_database_embedded: bool
    start_s: float


async def serve(settings: Settings, announce: Callable[[Announcement], None]) -> None:
    """Run Tollway until SIGTERM, SIGINT or SIGHUP, then stop all of it in order.

    Args:
        settings: of this installation.
        announce: called once, when requests are answered.

    Raises:
        StartError: it cannot start; the message is for the operator.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # ignored: nohup wants it so
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
    prepared = await tree.start()
    data_dir = settings.storage.data_dir.absolute()
    return Announcement(
        url=settings.server.url,
        data_dir=data_dir,
        keys_file=data_dir / FILE_NAME,
        prepared=prepared,
        workers=len(tree.workers),
        is_database_embedded=settings.storage.database_url is None,
        start_s=time.monotonic() - started_at,
    )
