import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from support.entries import an_entry
from support.ledger import rollup_sums, stored_ids, write_journal
from support.postgres import DatabaseUrls
from support.quotas import an_organization
from support.standin import Reply, StandIn
from support.waiting import eventually, wait_until
from support.webhooks import a_webhook, budget_event, verify
from tollway.config import load_settings
from tollway.data.audit_events import raise_events
from tollway.data.session import Database, create_engine
from tollway.factory.context import ProcessContext
from tollway.identity.webhook_secret import new_webhook_secret
from tollway.ids import uuid7
from tollway.journal.segment import worker_directories
from tollway.services.ledger_audit import LedgerAudit


@contextmanager
def drain_process(urls: DatabaseUrls, data_dir: Path, *, batch: int = 2_000) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLWAY_")}
    environment |= {
        "TOLLWAY_DATABASE_URL": urls.app,
        "TOLLWAY_DATA_DIR": str(data_dir),
        "TOLLWAY_DRAIN_INTERVAL_MS": "10",
        "TOLLWAY_DRAIN_BATCH_ENTRIES": str(batch),
    }
    process = subprocess.Popen([sys.executable, "-m", "tollway.jobs.drain"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(300)  # four processes start one after the other
async def test_a_drain_killed_in_mid_batch_again_and_again_loses_and_doubles_nothing(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    organization_id, seed = uuid7(), random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    entries, lost = [], [an_entry(organization_id=organization_id) for _ in range(15)]
    for life in range(3):  # each begins with enough to do, however far the one before came
        more = [an_entry(organization_id=organization_id) for _ in range(800)]
        await write_journal(tmp_path, more, interrupted=lost[life * 5 :][:5], segment_bytes=64 * 1024)
        entries += more
        before = len(stored_ids(database_urls.owner))
        with drain_process(database_urls, tmp_path, batch=50) as process:
            wait_until(lambda before=before: len(stored_ids(database_urls.owner)) > before, what="progress")
            await asyncio.sleep(chance.random() * 0.03)
            process.send_signal(signal.SIGKILL)
    with drain_process(database_urls, tmp_path) as process:
        wait_until(lambda: not worker_directories(tmp_path), what="the journal's end")
        process.terminate()
        assert process.wait(60) == 0
    assert stored_ids(database_urls.owner) == sorted(entry.entry_id for entry in [*entries, *lost])
    assert rollup_sums(database_urls.owner)["usage_daily"][0] == len(entries) + len(lost)
    database = Database(create_engine(database_urls.app, pool_size=1, timeout_s=60.0))
    assert (await LedgerAudit(database).audit(organization_id)).agrees
    await database.close()


async def test_on_sigterm_the_rest_is_drained_and_the_exit_is_clean(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    first, rest = an_entry(), [an_entry() for _ in range(3_000)]
    await write_journal(tmp_path, [first])
    with drain_process(database_urls, tmp_path, batch=10) as process:
        wait_until(lambda: stored_ids(database_urls.owner) == [first.entry_id], what="the first entry")
        await write_journal(tmp_path, rest)
        process.terminate()
        assert process.wait(60) == 0
    assert len(stored_ids(database_urls.owner)) == 1 + len(rest)


async def test_it_tells_webhooks_of_events(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    secret = new_webhook_secret()
    context = ProcessContext.create(load_settings({"database_url": database_urls.app, "data_dir": tmp_path}))
    organization_id = an_organization(database_urls.app)
    with StandIn(lambda _: Reply()) as receiver, drain_process(database_urls, tmp_path) as process:
        a_webhook(database_urls.app, organization_id, receiver.base_url, context.vault, secret)
        async with context.database.write() as session, session.begin():
            await raise_events(session, [budget_event(organization_id)])
        await eventually(lambda: receiver.received)
        verify(receiver.received[0], secret)
        process.terminate()
        assert process.wait(60) == 0
    await context.aclose()


async def test_without_a_database_it_waits_and_stops_when_told(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    entry = an_entry()
    await write_journal(tmp_path, [entry])
    away = DatabaseUrls("none", "", "postgresql://nobody@127.0.0.1:1/none")
    with drain_process(away, tmp_path) as process:
        wait_until((tmp_path / "secrets.json").exists, what="the start")
        wait_until(lambda: b"SigCgt:\t0000000000000000" not in Path(f"/proc/{process.pid}/status").read_bytes())
        process.terminate()
        process.wait(30)
    with drain_process(database_urls, tmp_path) as process:
        wait_until(lambda: stored_ids(database_urls.owner) == [entry.entry_id], what="the entry")
    with psycopg.connect(database_urls.owner) as connection:
        assert connection.execute("SELECT count(*) FROM ledger_entry").fetchone() == (1,)
