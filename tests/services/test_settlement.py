import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from support.entries import a_writer, an_entry, opening
from support.ledger import a_drain, drain_all
from support.quotas import a_quota, a_settlement, an_api_key, an_organization, grant, window_rows
from tollway.data.session import Database
from tollway.ids import uuid7
from tollway.ledger.entry import LedgerEntry
from tollway.ledger.settlement import Settlement
from tollway.services.worker_release import WorkerRelease

DAY_US = 86_400_000_000


def charged(*settlements: Settlement, count: int = 1) -> list[LedgerEntry]:
    return [an_entry(settlements=settlements) for _ in range(count)]


async def a_journal(
    data_dir: Path, entries: Sequence[LedgerEntry], *, interrupted: Sequence[LedgerEntry] = (), worker_id: str = ""
) -> str:
    worker_id = worker_id or uuid7()
    writer = a_writer(data_dir / "journal", worker_id=worker_id)
    for entry in entries:
        writer.close(entry)
    for entry in interrupted:
        writer.open(opening(entry))
    await writer.aclose()
    return worker_id


@pytest.fixture
def quota_id(database_url: str) -> str:
    return a_quota(database_url, an_organization(database_url))


async def test_what_was_leased_moves_from_granted_to_settled_and_nothing_else_does(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    worker, other, settlement = uuid7(), uuid7(), a_settlement(quota_id, 30)
    unleased = a_settlement(a_quota(database_url, an_organization(database_url), mode="soft"), 5, leased=False)
    grant(database_url, worker, settlement.refs[0], 1_000)
    grant(database_url, other, settlement.refs[0], 500)
    writer = a_writer(tmp_path / "journal", worker_id=worker)
    for entry in charged(settlement, unleased, count=20):
        writer.close(entry)
    await drain_all(a_drain(database, tmp_path))
    rows = window_rows(database_url)
    row = rows[settlement.refs[0]]
    assert (row.granted, row.settled) == (900, 600)
    assert row.leases == {worker: (1_000, 600), other: (500, 0)}
    assert (rows[unleased.refs[0]].granted, rows[unleased.refs[0]].settled) == (0, 100)
    assert rows[unleased.refs[0]].end_us == DAY_US
    await writer.aclose()


async def test_an_entry_that_arrives_again_is_charged_once(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    worker, settlement = uuid7(), a_settlement(quota_id, 1)
    grant(database_url, worker, settlement.refs[0], 1_000)
    entries = charged(settlement, count=50)
    await a_journal(tmp_path / "0", [*entries, *entries[:10]], worker_id=worker)
    for number in range(1, 4):
        shutil.copytree(tmp_path / "0", tmp_path / str(number))
    drains = [a_drain(database, tmp_path / str(number), batch_entries=5 + 3 * number) for number in range(4)]
    await asyncio.gather(*(drain_all(drain) for drain in drains))
    row = window_rows(database_url)[settlement.refs[0]]
    assert (row.granted, row.settled, row.leases) == (0, 50, {})


async def test_a_dead_workers_rest_returns_only_after_its_journal_is_in_the_ledger(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    settlement = a_settlement(quota_id, 10)
    worker = await a_journal(tmp_path, charged(settlement, count=5), interrupted=charged(settlement, count=3))
    grant(database_url, worker, settlement.refs[0], 1_000)
    claim = [an_api_key(database_url), b"1" * 32, b"2" * 32, worker]
    insert = "INSERT INTO idempotency_claim (key_id, digest, body_digest, worker_id, expires_at, status) "
    with psycopg.connect(database_url) as connection:
        connection.execute(insert + "VALUES (%s, %s, %s, %s, now(), NULL)", claim)
        connection.execute(insert + "VALUES (%s, %s, %s, %s, now(), 200)", [claim[0], b"3" * 32, *claim[2:]])
    drain = a_drain(database, tmp_path, batch_entries=6)
    assert (await drain.pass_over()).adopted == 1
    row = window_rows(database_url)[settlement.refs[0]]
    assert (row.granted, row.settled, row.leases) == (0, 80, {})
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT digest FROM idempotency_claim").fetchall() == [(b"3" * 32,)]
        assert connection.execute("SELECT count(*) FROM worker").fetchone() == (0,)
    assert await WorkerRelease(database).release(worker) == 0
    assert window_rows(database_url)[settlement.refs[0]] == row


async def test_an_entry_that_comes_after_its_worker_was_given_up_still_counts(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    settlement = a_settlement(quota_id, 10)
    worker = await a_journal(tmp_path, charged(settlement, count=5))
    grant(database_url, worker, settlement.refs[0], 1_000)
    assert await WorkerRelease(database).release(worker) == 1
    assert window_rows(database_url)[settlement.refs[0]].granted == 0
    await drain_all(a_drain(database, tmp_path))
    row = window_rows(database_url)[settlement.refs[0]]
    assert (row.granted, row.settled, row.leases) == (0, 50, {})


async def test_more_than_was_granted_is_a_fact(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    worker, settlement = uuid7(), a_settlement(quota_id, 70)
    grant(database_url, worker, settlement.refs[0], 100)
    writer = a_writer(tmp_path / "journal", worker_id=worker)
    for entry in charged(settlement, count=2):
        writer.close(entry)
    await drain_all(a_drain(database, tmp_path))
    row = window_rows(database_url)[settlement.refs[0]]
    assert (row.granted, row.settled) == (0, 140)
    assert row.granted == row.leased
    await writer.aclose()


async def test_a_budget_that_was_deleted_meanwhile_is_settled_all_the_same(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settlement = a_settlement(uuid7(), 10)
    await a_journal(tmp_path, charged(settlement))
    await drain_all(a_drain(database, tmp_path))
    row = window_rows(database_url)[settlement.refs[0]]
    assert (row.granted, row.settled) == (0, 10)


async def test_a_journal_whose_worker_nobody_knows_takes_nothing_from_a_lease(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    settlement = a_settlement(quota_id, 10)
    await a_journal(tmp_path, charged(settlement), worker_id="copied-by-hand")
    await drain_all(a_drain(database, tmp_path))
    row = window_rows(database_url)[settlement.refs[0]]
    assert (row.granted, row.settled, row.leases) == (0, 10, {})


async def test_a_settlement_that_the_database_cannot_hold_stops_nobody(
    database: Database, database_url: str, tmp_path: Path, quota_id: str
) -> None:
    good, bad = charged(a_settlement(quota_id, 10), count=5), charged(a_settlement("no-id", 1))
    bad += charged(a_settlement(quota_id, 10, start_us=2**64 - 1))
    await a_journal(tmp_path, [*good[:2], *bad, *good[2:]])
    await drain_all(a_drain(database, tmp_path))
    assert window_rows(database_url)[good[0].settlements[0].refs[0]].settled == 50
    assert len((tmp_path / "damaged" / "refused.jsonl").read_text().splitlines()) == len(bad)


async def test_drains_and_releases_that_meet_in_the_same_windows_neither_block_nor_lose(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    organization_id = an_organization(database_url)
    quotas = [a_quota(database_url, organization_id, user_tag=str(number)) for number in range(6)]
    settlements = [a_settlement(quota_id, 1) for quota_id in quotas]
    for number in range(4):
        some = settlements if number % 2 else settlements[::-1]
        worker = await a_journal(tmp_path / str(number), charged(*some, count=40))
        for settlement in settlements:
            grant(database_url, worker, settlement.refs[0], 100)
    drains = [a_drain(database, tmp_path / str(number)) for number in range(4)]
    await asyncio.gather(*(drain_all(drain) for drain in drains))
    rows = window_rows(database_url)
    assert [(rows[s.refs[0]].granted, rows[s.refs[0]].settled) for s in settlements] == [(0, 160)] * len(quotas)


def a_webhook(url: str, organization_id: str, wanted: list[str], *, enabled: bool = True) -> str:
    webhook_id = uuid7()
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO webhook (id, organization_id, name, url, secret, events, enabled)"
            " VALUES (%s, %s, %s, 'https://example.org', '', %s, %s)",
            [webhook_id, organization_id, f"hook-{webhook_id[-12:]}", wanted, enabled],
        )
    return webhook_id


async def settle(database: Database, data_dir: Path, *settlements: Settlement) -> None:
    drain = a_drain(database, data_dir)
    for settlement in settlements:
        await a_journal(data_dir, charged(settlement))
        await drain_all(drain)
    drain.close()


def events(url: str) -> list[tuple[int, str]]:
    with psycopg.connect(url) as connection:
        return sorted(
            (detail["percent"], detail["settled_usd"])
            for (detail,) in connection.execute("SELECT detail FROM audit_event")
        )


async def test_each_threshold_raises_one_event_and_one_delivery_for_each_webhook_that_wants_it(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    organization_id = an_organization(database_url)
    budget = a_quota(database_url, organization_id, each=["user"])
    wanting = [
        a_webhook(database_url, organization_id, ["*"]),
        a_webhook(database_url, organization_id, ["budget.threshold"]),
    ]
    a_webhook(database_url, organization_id, ["webhook.test"])
    a_webhook(database_url, organization_id, ["*"], enabled=False)
    a_webhook(database_url, an_organization(database_url), ["*"])
    cents = 10**10
    part = [a_settlement(budget, cents * amount, subject='["ada"]') for amount in (49, 1, 29, 25, 90)]
    other = a_settlement(budget, cents * 60, subject='["bob"]')
    await settle(database, tmp_path, *part, other)
    assert events(database_url) == [(50, "0.5"), (50, "0.6"), (80, "1.04"), (100, "1.04")]
    with psycopg.connect(database_url) as connection:
        told = connection.execute("SELECT webhook_id::text, count(*) FROM webhook_delivery GROUP BY 1").fetchall()
        first = connection.execute(
            "SELECT organization_id::text, actor_key_id, action, subject, detail FROM audit_event ORDER BY at LIMIT 1"
        ).fetchone()
    assert dict(told) == dict.fromkeys(wanting, 4)
    assert first[:4] == (organization_id, None, "budget.threshold", budget)
    assert first[4] == {
        "percent": 50,
        "settled_usd": "0.5",
        "limit_usd": "1",
        "refusing": False,
        "mode": "hard",
        "window": "day",
        "window_start": "1970-01-01T00:00:00+00:00",
        "window_end": "1970-01-02T00:00:00+00:00",
        "scope": {},
        "each": {"user": "ada"},
    }


async def test_a_raise_counts_and_a_paused_budget_is_silent(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    organization_id = an_organization(database_url)
    raised = a_quota(database_url, organization_id, raised_amount=10**13, raised_until="9999-01-01", provider="a")
    paused = a_quota(database_url, organization_id, paused=True, provider="b")
    nothing = a_quota(database_url, organization_id, amount=0, provider="c")
    await settle(
        database, tmp_path, a_settlement(raised, 4 * 10**12), a_settlement(paused, 10**13), a_settlement(nothing, 0)
    )
    assert events(database_url) == []
    await settle(database, tmp_path, a_settlement(raised, 10**12))
    assert events(database_url) == [(50, "5")]


async def test_a_rolling_budget_announces_what_its_slots_hold_together(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    budget = a_quota(database_url, an_organization(database_url), period="rolling", length_s=3_600)
    slot_us, now_us = 60_000_000, time.time_ns() // 1_000
    this_us = now_us - now_us % slot_us
    parts = [(this_us - 600 * slot_us, 90), (this_us - 10 * slot_us, 40), (this_us, 15), (this_us - 5 * slot_us, 30)]
    await settle(database, tmp_path, *(a_settlement(budget, cents * 10**10, start_us=at) for at, cents in parts))
    assert events(database_url) == [(50, "0.55"), (80, "0.85")]
