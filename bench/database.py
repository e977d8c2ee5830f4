"""A PostgreSQL for a rival that needs one: ``python -m bench.database <folder> <file>`` writes its URL to the file."""

import asyncio
import signal
import sys
from pathlib import Path

import psycopg

from tollway.supervisor.postgres import EmbeddedPostgres

NAME = "rival"


async def _serve(folder: Path, url_file: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.url("tollway", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {NAME}")
        await asyncio.to_thread(url_file.write_text, server.url("tollway", NAME))
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
