"""Servers that a killed supervisor left behind on its data directory."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

_POLL_S = 0.01
_STEPS = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0))
"""Fast shutdown, immediate shutdown, by force; and how many seconds each has."""


def find_orphans(database_dir: Path) -> list[int]:
    """Process ids of PostgreSQL processes that work in the directory: each of them has it as its working directory."""
    try:
        wanted = database_dir.stat()
    except FileNotFoundError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's and so not ours
            here = (entry / "cwd").stat()
            is_server = (entry / "comm").read_text().strip() == "postgres"
            if is_server and (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(int(entry.name))
    return found


async def stop_orphans(database_dir: Path, socket_dir: Path) -> None:
    """Stop every server on the directory, and clear the lock files that no server stands behind.

    Called under the supervisor's lock, so no other supervisor's server can be meant. The files are removed because the
    process id in them may belong to anything by now (above all after a restart of a container), and PostgreSQL would
    refuse to start.
    """
    loop = asyncio.get_running_loop()
    for number, patience_s in _STEPS:
        give_up_at = loop.time() + patience_s
        signalled: set[int] = set()
        while orphans := find_orphans(database_dir):
            for process_id in set(orphans) - signalled:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process_id, number)
                signalled.add(process_id)
            if loop.time() > give_up_at:
                break
            await asyncio.sleep(_POLL_S)
        else:
            break
    for lock_file in (database_dir / "postmaster.pid", socket_dir / ".s.PGSQL.5432.lock"):
        lock_file.unlink(missing_ok=True)
