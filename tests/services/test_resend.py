import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from support.entries import a_writer, an_entry, opening
from support.ledger import a_drain, drain_all, rollup_sums, stored_ids
from support.postgres import DatabaseUrls, PostgresServer
from support.quotas import a_quota, a_settlement, an_organization, grant, window_rows
from tollway.data.session import Database, create_engine
from tollway.errors import DatabaseUnavailableError
from tollway.ids import uuid7
from tollway.journal.sent import SentSegments
from tollway.journal.writer import JournalWriter
from tollway.ledger.entry import LedgerEntry
from tollway.ledger.settlement import Settlement
from tollway.services.drain import Drain


class Failover:
    """A server of which a copy lags behind; `promote` puts the copy in its place, on a new timeline."""

    def __init__(self, data_dir: Path) -> None:
        self.server = PostgresServer(data_dir)
        self._data = data_dir / "postgres" / "data"
        self._copy = data_dir / "copy"

    def copy(self) -> None:
        self.server.stop()
        shutil.copytree(self._data, self._copy)
        for path in (self._copy, *self._copy.rglob("*")):
            _own_as(path, self._data)
        self.server.start()

    def promote(self) -> None:
        """Recovery from an archive that has nothing ends like the promotion of a standby that lags."""
        self.server.stop()
        shutil.rmtree(self._data)
        self._copy.rename(self._data)
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write("restore_command = 'false'\n")
        (self._data / "recovery.signal").touch()
        _own_as(self._data / "recovery.signal", self._data)
        self.server.start()


def _own_as(path: Path, original: Path) -> None:
    owner = original.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


@pytest.fixture
def failover(tmp_path: Path) -> Iterator[Failover]:
    tmp_path.chmod(0o711)
    made = Failover(tmp_path / "database")
    with made.server:
        yield made


def write(writer: JournalWriter, settlement: Settlement, count: int) -> list[LedgerEntry]:
    entries = [an_entry(settlements=(settlement,)) for _ in range(count)]
    for entry in entries:
        writer.open(opening(entry))
        writer.close(entry)
    return entries


async def drain_until_back(drain: Drain) -> None:
    """The connections of before are dead: the first passes may fail."""
    async with asyncio.timeout(60):
        while True:
            with suppress(DatabaseUnavailableError):
                return await drain_all(drain)
            await asyncio.sleep(0.01)


async def test_what_a_promoted_standby_lacks_is_sent_again(failover: Failover, tmp_path: Path) -> None:
    urls = failover.server.create()
    database = Database(create_engine(urls.app, pool_size=2, timeout_s=60.0))
    drain = a_drain(database, tmp_path, recovery_window_s=600)
    settlement = a_settlement(a_quota(urls.owner, an_organization(urls.owner)), 10)
    live_id, early_id, late_id = ids = [uuid7() for _ in range(3)]
    live, early, late = (a_writer(tmp_path / "journal", worker_id=id_, segment_bytes=4_096) for id_ in ids)
    for worker_id in (live_id, early_id):
        grant(urls.owner, worker_id, settlement.refs[0], 1_000)
    entries = [*write(live, settlement, 10), *write(early, settlement, 10)]
    await drain_all(drain)

    failover.copy()
    entries += [*write(live, settlement, 15), *write(early, settlement, 5), *write(late, settlement, 7)]
    interrupted = an_entry(settlements=(settlement,))
    early.open(opening(interrupted))
    await early.aclose()
    await late.aclose()
    grant(urls.owner, late_id, settlement.refs[0], 500)
    await drain_until_back(drain)
    window, sums = window_rows(urls.owner)[settlement.refs[0]], rollup_sums(urls.owner)
    assert stored_ids(urls.owner) == sorted(entry.entry_id for entry in [*entries, interrupted])
    assert window.leases == {live_id: (1_000, 250)}

    failover.promote()
    assert len(stored_ids(urls.owner)) == 20
    while len(stored_ids(urls.owner)) == 20:  # the drain looks at the timeline about once a second
        await drain_until_back(drain)
    assert stored_ids(urls.owner) == sorted(entry.entry_id for entry in [*entries, interrupted])
    assert rollup_sums(urls.owner) == sums
    assert window_rows(urls.owner)[settlement.refs[0]] == window
    drain.close()
    await live.aclose()
    await database.close()


@pytest.mark.parametrize("timeline", [0, None], ids=["another", "the-same"])
async def test_a_drain_that_starts_sends_again_only_what_went_to_another_timeline(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path, timeline: int | None
) -> None:
    writer, settlement = a_writer(tmp_path / "journal", segment_bytes=4_096), a_settlement(uuid7(), 1)
    entries = write(writer, settlement, 20)
    drain = a_drain(database, tmp_path, recovery_window_s=600)
    await drain_all(drain)
    drain.close()
    with psycopg.connect(database_urls.owner) as owner:
        owner.execute("TRUNCATE ledger_entry, quota_window, quota_lease")
    if timeline is not None:
        SentSegments(tmp_path / "journal", window_s=600).note_timeline(timeline)
    drain = a_drain(database, tmp_path, recovery_window_s=600)
    await drain_all(drain)
    drain.close()
    expected = [] if timeline is None else sorted(entry.entry_id for entry in entries)
    assert stored_ids(database_urls.owner) == expected
    assert sum(row.settled for row in window_rows(database_urls.owner).values()) == len(expected)
    await writer.aclose()
