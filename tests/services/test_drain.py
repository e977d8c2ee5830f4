import asyncio
import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from chaos.small_disk import can_mount, fill, small_disk
from support.entries import a_writer, an_entry, opening
from support.ledger import a_drain, drain_all, rollup_sums, stored_ids, write_journal
from support.logs import logged
from support.postgres import DatabaseUrls
from support.quotas import a_settlement, window_rows
from support.waiting import eventually
from tollway.data.session import Database, create_engine
from tollway.errors import DatabaseUnavailableError
from tollway.ids import uuid7
from tollway.journal.segment import worker_directories
from tollway.ledger.entry import LedgerEntry, UsageSource
from tollway.services.drain import Drain
from tollway.services.ledger_audit import LedgerAudit
from tollway.services.ledger_query import EntryQuery, LedgerQuery


def ids(entries: list[LedgerEntry]) -> list[str]:
    return sorted(entry.entry_id for entry in entries)


async def test_every_field_of_an_entry_arrives_as_it_was(database: Database, tmp_path: Path) -> None:
    plain = an_entry()
    extreme = an_entry(
        organization_id=plain.organization_id,
        user_tag='Zürich\t\\N \n"quoted" \N{SNOWMAN}',
        tags=(("a=b", "{}"), ("z", "\\u0000 is text")),
        attempts=(),
        lines=(),
        charge=2**63 - 1,
        provider_cost=12,
        first_byte_us=None,
        stream=True,
        usage_source=UsageSource.NONE,
        usage=msgspec.structs.replace(plain.usage, web_searches=3, reasoning=2**40),
        priced=False,
    )
    await write_journal(tmp_path, [plain, extreme])
    await drain_all(a_drain(database, tmp_path))
    found = await LedgerQuery(database).page(plain.organization_id, EntryQuery(), after=None, limit=10)
    assert {stored.entry for stored in found} == {plain, extreme}


async def test_a_journal_drained_twice_gives_each_entry_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    entries, lost = [an_entry() for _ in range(120)], an_entry()
    await write_journal(tmp_path / "one", entries, interrupted=[lost], segment_bytes=8_192)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    await drain_all(a_drain(database, tmp_path / "one"))
    sums = rollup_sums(database_url)
    await drain_all(a_drain(database, tmp_path / "two"))
    assert stored_ids(database_url) == ids([*entries, lost])
    assert rollup_sums(database_url) == sums
    assert sums["usage_hourly"] == sums["usage_daily"] == sums["usage_tag_hourly"] == sums["usage_tag_daily"]
    assert sums["usage_hourly"][0] == 121


async def test_known_entries_among_new_ones_are_neither_stored_nor_counted_again(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    organization_id, settlement = uuid7(), a_settlement(uuid7(), 1)
    entries = [an_entry(organization_id=organization_id, settlements=(settlement,)) for _ in range(90)]
    drain = a_drain(database, tmp_path, batch_entries=20)
    for part in (entries[:40], [*entries[20:50], *entries[45:70]], entries[60:]):
        await write_journal(tmp_path, part)
        await drain_all(drain)
    assert stored_ids(database_url) == ids(entries)
    audit = await LedgerAudit(database).audit(organization_id)
    assert audit.entries == 90
    assert audit.agrees
    assert window_rows(database_url)[settlement.refs[0]].settled == 90
    drain.close()


async def test_copies_of_a_journal_drained_at_once_give_each_entry_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    organization_id = uuid7()
    entries = [an_entry(organization_id=organization_id) for _ in range(300)]
    await write_journal(tmp_path / "0", entries)
    for number in range(1, 4):
        shutil.copytree(tmp_path / "0", tmp_path / str(number))
    drains = [a_drain(database, tmp_path / str(number), batch_entries=20 + number * 7) for number in range(4)]
    await asyncio.gather(*(drain_all(drain) for drain in drains))
    assert stored_ids(database_url) == ids(entries)
    audit = await LedgerAudit(database).audit(organization_id)
    assert audit.entries == 300
    assert audit.agrees


async def test_a_dead_workers_journal_is_finished_and_removed(database: Database, tmp_path: Path) -> None:
    await write_journal(tmp_path, [an_entry()], interrupted=[an_entry() for _ in range(120)])
    drain = a_drain(database, tmp_path)
    report = await drain.pass_over()
    assert (report.read, report.stored, report.adopted) == (121, 121, 1)
    assert worker_directories(tmp_path) == []


async def test_a_live_workers_requests_are_not_called_interrupted(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    writer, entry = a_writer(tmp_path / "journal"), an_entry()
    drain = a_drain(database, tmp_path)
    writer.open(opening(entry))
    assert (await drain.pass_over()).read == 0
    writer.close(entry)
    assert (await drain.pass_over()).stored == 1
    await writer.aclose()
    assert (await drain.pass_over()).adopted == 1
    assert stored_ids(database_url) == [entry.entry_id]


async def test_two_drains_do_not_share_a_data_directory(database: Database, tmp_path: Path) -> None:
    await write_journal(tmp_path, [an_entry()])
    first, second = a_drain(database, tmp_path), a_drain(database, tmp_path)
    assert (await first.pass_over()).read == 1
    await write_journal(tmp_path, [an_entry()])
    assert (await second.pass_over()).read == 0
    first.close()
    assert (await second.pass_over()).read == 1
    second.close()


async def test_entries_wait_while_the_database_is_away(
    database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Database(create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1, timeout_s=1.0))
    entries = [an_entry() for _ in range(10)]
    await write_journal(tmp_path, entries)
    refused = a_drain(nowhere, tmp_path)
    with pytest.raises(DatabaseUnavailableError):
        await refused.pass_over()
    refused.close()
    reachable = Database(create_engine(database_urls.app, pool_size=1, timeout_s=60.0))
    drain, stop = a_drain(nowhere, tmp_path, batch_entries=3), asyncio.Event()
    running = asyncio.create_task(drain.run(stop, interval_s=0.01))
    await asyncio.sleep(0)
    monkeypatch.setattr(nowhere, "engine", reachable.engine)
    await eventually(lambda: stored_ids(database_urls.owner) == ids(entries))
    stop.set()
    await running
    await reachable.close()


async def pauses_of(drain: Drain, failures: int) -> list[float]:
    """Seconds for which a drain waits after each of its first failures."""
    stop = asyncio.Event()
    with logged() as logs:
        running = asyncio.create_task(drain.run(stop, interval_s=0.01))
        await eventually(lambda: len(logs) >= failures)
        stop.set()
        await running
    assert {log["event"] for log in logs} == {"drain_waits"}
    assert [log["log_level"] for log in logs[:2]] == ["warning", "debug"], "one outage is told of once"
    return [log["retry_s"] for log in logs]


async def test_a_database_that_is_away_is_asked_about_once_a_second(tmp_path: Path) -> None:
    await write_journal(tmp_path, [an_entry()])
    nowhere = Database(create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1, timeout_s=1.0))
    drain = a_drain(nowhere, tmp_path)
    pauses = await pauses_of(drain, failures=5)
    assert all(0.5 <= pause_s <= 1.0 for pause_s in pauses[2:])
    drain.close()
    await nowhere.close()


async def test_a_database_that_answers_and_takes_nothing_is_given_more_and_more_time(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    drain = a_drain(database, tmp_path)
    await drain.pass_over()
    await database.close()
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {database_urls.name} SET default_transaction_read_only = on")
    await write_journal(tmp_path, [an_entry()])
    pauses = await pauses_of(drain, failures=4)
    assert pauses[3] >= 1.6
    drain.close()


async def test_connections_cut_in_mid_batch_lose_and_double_nothing(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    organization_id = uuid7()
    entries = [an_entry(organization_id=organization_id) for _ in range(80)]
    await write_journal(tmp_path, entries)
    drain, stop = a_drain(database, tmp_path, batch_entries=10), asyncio.Event()
    running = asyncio.create_task(drain.run(stop, interval_s=0.001))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tollway' AND datname = %s"
    async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as owner:
        stored = 0
        while stored < len(entries):
            await eventually(lambda before=stored: len(stored_ids(database_urls.owner)) > before)
            stored = len(stored_ids(database_urls.owner))
            await owner.execute(cut, [database_urls.name])
    stop.set()
    await running
    assert stored_ids(database_urls.owner) == ids(entries)
    assert (await LedgerAudit(database).audit(organization_id)).agrees


async def test_an_entry_that_the_database_cannot_hold_is_set_aside_and_stops_nobody(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    good = [an_entry() for _ in range(20)]
    bad = [
        an_entry(organization_id="not-a-uuid"),
        an_entry(status=2**40),
        an_entry(admitted_at_us=-1),
        an_entry(admitted_at_us=2**62),
        an_entry(usage=msgspec.structs.replace(good[0].usage, input=2**63)),
    ]
    await write_journal(tmp_path, [*good[:10], *bad, *good[10:]])
    await drain_all(a_drain(database, tmp_path))
    assert stored_ids(database_url) == ids(good)
    kept = [json.loads(line) for line in (tmp_path / "damaged" / "refused.jsonl").read_text().splitlines()]
    assert {line["entry"]["entry_id"] for line in kept} == {entry.entry_id for entry in bad}
    assert all(line["reason"] for line in kept)


async def test_text_that_postgresql_cannot_hold_is_replaced(database: Database, tmp_path: Path) -> None:
    entry = an_entry(user_tag="a\0b", tags=(("t\0", "v\0"),), error="\0")
    await write_journal(tmp_path, [entry])
    await drain_all(a_drain(database, tmp_path))
    (stored,) = await LedgerQuery(database).page(entry.organization_id, EntryQuery(), after=None, limit=2)
    assert stored.entry.user_tag == "a\N{REPLACEMENT CHARACTER}b"
    assert stored.entry.tags == (("t\N{REPLACEMENT CHARACTER}", "v\N{REPLACEMENT CHARACTER}"),)


async def test_a_wrong_clock_neither_loses_an_entry_nor_bends_its_time(database: Database, tmp_path: Path) -> None:
    organization_id = uuid7()
    moments = [datetime(year, 12, 31, 23, 59, 59, 999_999, UTC) for year in (1971, 2026, 2100)]
    entries = [
        an_entry(organization_id=organization_id, admitted_at_us=round(moment.timestamp()) * 1_000_000 - 1)
        for moment in moments
    ]
    await write_journal(tmp_path, entries)
    await drain_all(a_drain(database, tmp_path))
    found = await LedgerQuery(database).page(organization_id, EntryQuery(), after=None, limit=5)
    assert [stored.entry.admitted_at_us for stored in found] == [entry.admitted_at_us for entry in entries][::-1]


async def test_a_partition_that_somebody_removed_is_made_again(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    drain, moment = a_drain(database, tmp_path), datetime.now(UTC)
    admitted_at_us = int(moment.timestamp() * 1_000_000)
    await write_journal(tmp_path, [an_entry(admitted_at_us=admitted_at_us)])
    await drain_all(drain)
    with psycopg.connect(database_urls.owner) as owner:
        owner.execute(f"DROP TABLE ledger_entry_{moment:%Y%m}")
    entry = an_entry(admitted_at_us=admitted_at_us)
    await write_journal(tmp_path, [entry])
    await drain_all(drain)
    assert stored_ids(database_urls.app) == [entry.entry_id]


async def test_partitions_are_there_before_they_are_needed(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    with psycopg.connect(database_urls.owner) as owner:
        owner.execute(
            "DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT inhrelid::regclass FROM pg_inherits"
            " WHERE inhparent = 'ledger_entry'::regclass LOOP EXECUTE format('DROP TABLE %s', part); END LOOP; END $$"
        )
    await a_drain(database, tmp_path).pass_over()
    with psycopg.connect(database_urls.owner) as owner:
        row = owner.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger_entry'::regclass").fetchone()
    assert row == (3,)


async def test_after_stop_what_is_left_is_drained_first(database: Database, database_url: str, tmp_path: Path) -> None:
    entries = [an_entry() for _ in range(200)]
    await write_journal(tmp_path, entries)
    stop = asyncio.Event()
    stop.set()
    await a_drain(database, tmp_path, batch_entries=5).run(stop, interval_s=60)
    assert stored_ids(database_url) == ids(entries)


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount a file system")
async def test_a_full_disk_is_drained_and_so_has_room_again(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "journal") as disk:
        entries, lost = [an_entry() for _ in range(200)], an_entry()
        await write_journal(tmp_path, entries, interrupted=[lost], segment_bytes=64 * 1024)
        fill(disk)
        drain = a_drain(database, tmp_path, batch_entries=20, recovery_window_s=600)
        for _ in range(20):
            with suppress(OSError):  # until the first segment is drained there is no room for anything
                await drain_all(drain)
        assert worker_directories(tmp_path) == []
        assert stored_ids(database_url) == ids([*entries, lost])
        drain.close()
