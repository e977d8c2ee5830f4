"""Servers that a killed supervisor left behind on its data directory."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

_POLL_S = 0.01
_PATIENCE_S = 10.0


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


async def stop_orphans(database_dir: Path) -> None:
    """Stop every server on the directory, and clear a process id file that no server stands behind.

    Called under the supervisor's lock, so no other supervisor's server can be meant. The file is removed because after
    a restart of a container its process id may belong to anything, and PostgreSQL would refuse to start.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        give_up_at = loop.time() + _PATIENCE_S
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
    (database_dir / "postmaster.pid").unlink(missing_ok=True)
