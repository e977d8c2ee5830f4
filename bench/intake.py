"""``python -m bench.intake``: how fast the drain brings a journal into PostgreSQL, with rollups and budgets.

The embedded server as `tollway serve` runs it (fsync on), and the drain as a process of its own. The time counts from
the first batch that is stored to the last, without the start of the process; beside it what both sides used of a core.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.machine import describe
from bench.processes import clean_environment, cpu_s, stop
from tollway.ids import uuid7
from tollway.journal.segment import journal_directory
from tollway.journal.writer import JournalWriter
from tollway.ledger.entry import Attempt, ChargeLine, EntryOpen, LedgerEntry, Outcome, UsageSource
from tollway.ledger.money import charge
from tollway.ledger.quota import WindowRef
from tollway.ledger.settlement import Settlement, packed
from tollway.ledger.usage import Usage
from tollway.services.migrate import migrate
from tollway.supervisor.postgres import EmbeddedPostgres

MODELS = ("gpt-4o-mini", "gpt-4o", "claude-3-5-haiku", "mistral-small")
PRICES = {"input": 150_000_000_000, "output": 600_000_000_000}
KEYS, TEAMS, BUDGETS = 20, 5, 2
POLL_S = 0.02
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Intake:
    """What was measured: entries after the first batch, the time for them, and the CPU time of all."""

    entries: int
    seconds: float
    counted: int
    drain_cpu_s: float
    postgres_cpu_s: float

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        return (
            f"{self.counted / self.seconds:,.0f} entries/s ({self.counted:,} in {self.seconds:.2f} s); CPU an entry: "
            f"drain {self.drain_cpu_s / self.entries * 1e6:.1f} µs, "
            f"PostgreSQL {self.postgres_cpu_s / self.entries * 1e6:.1f} µs"
        )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.intake", description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=None, help="entries in a transaction; default: the setting's")
    parser.add_argument("--budgets", type=int, default=BUDGETS, help="budgets that each entry is charged to")
    given = parser.parse_args()
    print(describe().sentence)
    with tempfile.TemporaryDirectory(prefix="tollway-intake-") as folder:
        data_dir = Path(folder)
        data_dir.chmod(0o711)  # PostgreSQL, started by root, runs as somebody else and must reach its directory
        intake = asyncio.run(_measure(data_dir, given.entries, given.batch, given.budgets))
    print(intake.sentence)


async def _measure(data_dir: Path, entries: int, batch: int | None, budgets: int) -> Intake:
    async with EmbeddedPostgres(data_dir) as server:
        await asyncio.to_thread(migrate, server.owner_url)
        await _write_journal(data_dir, entries, budgets)
        return await asyncio.to_thread(_drain, data_dir, server, entries, batch)


async def _write_journal(data_dir: Path, entries: int, budgets: int) -> None:
    writer = JournalWriter(
        journal_directory(data_dir),
        worker_id=uuid7(),
        segment_bytes=16 * 1024**2,
        max_bytes=1 << 40,
        fsync_interval_s=0.02,
    )
    for opened, entry in _requests(entries, budgets):
        writer.open(opened)
        writer.close(entry)
    await writer.aclose()


def _requests(count: int, budgets: int) -> Iterator[tuple[EntryOpen, LedgerEntry]]:
    chance = random.Random(1)  # noqa: S311 - the same journal each time
    organization_id, project_id = uuid7(), uuid7()
    keys, quotas = [uuid7() for _ in range(KEYS)], [uuid7() for _ in range(budgets)]
    windows = packed([WindowRef(quota, 0, "", 0) for quota in quotas])
    for _ in range(count):
        usage = Usage(input=chance.randrange(10, 4_000), output=chance.randrange(1, 800))
        lines = tuple(
            ChargeLine(kind, getattr(usage, kind), price, charge(getattr(usage, kind), price), f"genai-prices:{kind}")
            for kind, price in PRICES.items()
        )
        amount, model = sum(line.amount for line in lines), chance.choice(MODELS)
        shared = {
            "entry_id": uuid7(),
            "request_id": uuid7(),
            "admitted_at_us": time.time_ns() // 1_000,
            "organization_id": organization_id,
            "project_id": project_id,
            "key_id": chance.choice(keys),
            "surface": "chat",
            "model_asked": f"openai/{model}",
            "provider": "openai",
            "model_sent": model,
            "user_tag": f"user-{chance.randrange(1_000)}",
            "tags": (("team", f"team-{chance.randrange(TEAMS)}"),),
            "stream": False,
            "settlements": (Settlement(windows, amount, leased=True),) if quotas else (),
        }
        yield (
            EntryOpen(**shared, input_bytes=1_000, input_price=PRICES["input"], input_price_ref="genai-prices:input"),
            LedgerEntry(
                **shared,
                model_answered=model,
                outcome=Outcome.OK,
                status=200,
                error="",
                attempts=(Attempt("openai", model, 200, "", 800_000),),
                usage=usage,
                usage_source=UsageSource.PROVIDER,
                priced=True,
                charge=amount,
                lines=lines,
                provider_cost=None,
                duration_us=chance.randrange(100_000, 3_000_000),
                first_byte_us=100_000,
                request_bytes=1_000,
                response_bytes=700,
            ),
        )


def _drain(data_dir: Path, server: EmbeddedPostgres, entries: int, batch: int | None) -> Intake:
    with (
        psycopg.connect(server.owner_url, autocommit=True) as connection,
        _drain_process(data_dir, server.app_url, batch) as drain,
    ):
        first, began_s = _stored(connection), 0.0
        while not (first := _stored(connection)):
            time.sleep(POLL_S)
            _require_alive(drain)
        began_s = last_s = time.monotonic()
        stored = first
        while stored < entries:
            time.sleep(POLL_S)
            stored, last_s = _stored(connection), time.monotonic()
            _require_alive(drain)
            if last_s - began_s > TIMEOUT_S:
                raise TimeoutError(f"only {stored} of {entries} entries after {TIMEOUT_S:g} s")
        pids = [
            pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'tollway'")
        ]
        return Intake(entries, last_s - began_s, stored - first, cpu_s([drain.pid]), cpu_s(pids))


@contextmanager
def _drain_process(data_dir: Path, url: str, batch: int | None) -> Iterator[subprocess.Popen[bytes]]:
    environment = clean_environment() | {
        "TOLLWAY_DATA_DIR": str(data_dir),
        "TOLLWAY_DATABASE_URL": url,
        "TOLLWAY_LOG_LEVEL": "warning",
    }
    if batch:
        environment["TOLLWAY_DRAIN_BATCH_ENTRIES"] = str(batch)
    drain = subprocess.Popen([sys.executable, "-m", "tollway.jobs.drain"], env=environment, start_new_session=True)
    try:
        yield drain
    finally:
        stop(drain)


def _stored(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(requests), 0)::bigint FROM usage_daily").fetchone()
    return int(row[0]) if row else 0


def _require_alive(drain: subprocess.Popen[bytes]) -> None:
    if drain.poll() is not None:
        raise RuntimeError(f"the drain ended with code {drain.returncode}")


if __name__ == "__main__":
    main()
