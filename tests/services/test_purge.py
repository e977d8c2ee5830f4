import time

import psycopg

from support.quotas import a_quota, an_api_key, an_organization
from tollway.data.session import Database
from tollway.ids import uuid7
from tollway.ledger.window import FOREVER_US
from tollway.services.purge import Purge

HOUR_S, DAY_S = 3_600, 86_400


def a_window(connection: psycopg.Connection, quota_id: str, *, ended_s: float, length_s: float) -> float:
    end_us = round((time.time() - ended_s) * 1_000_000)
    key = [quota_id, 0, "", end_us - round(length_s * 1_000_000)]
    connection.execute("INSERT INTO quota_window VALUES (%s, %s, %s, %s, %s)", [*key, end_us])
    connection.execute(
        "INSERT INTO quota_lease (worker_id, quota_id, generation, subject, start_us) VALUES (%s, %s, %s, %s, %s)",
        [uuid7(), *key],
    )
    return ended_s


async def test_windows_go_once_nothing_counts_them_any_more_and_their_leases_with_them(
    database: Database, database_url: str
) -> None:
    organization_id = an_organization(database_url)
    daily = a_quota(database_url, organization_id)
    rolling = a_quota(database_url, organization_id, period="rolling", length_s=90 * DAY_S)
    with psycopg.connect(database_url) as connection:
        kept = [
            a_window(connection, daily, ended_s=-1, length_s=DAY_S),
            a_window(connection, daily, ended_s=34 * DAY_S, length_s=DAY_S),
            a_window(connection, rolling, ended_s=89 * DAY_S, length_s=1.5 * DAY_S),
            a_window(connection, daily, ended_s=1 * HOUR_S, length_s=60),
        ]
        a_window(connection, daily, ended_s=36 * DAY_S, length_s=DAY_S)
        a_window(connection, uuid7(), ended_s=37 * DAY_S, length_s=DAY_S)
        a_window(connection, rolling, ended_s=126 * DAY_S, length_s=1.5 * DAY_S)
        a_window(connection, daily, ended_s=3 * HOUR_S, length_s=60)
        a_window(connection, daily, ended_s=3 * HOUR_S, length_s=1)
    purged = await Purge(database).purge()
    assert {kind: count for kind, count in purged.items() if count} == {"short_windows": 2, "windows": 3}
    with psycopg.connect(database_url) as connection:
        ends = connection.execute("SELECT end_us FROM quota_window").fetchall()
        leases = connection.execute("SELECT count(*) FROM quota_lease").fetchone()
    assert sorted(round(time.time() - end_us / 1_000_000, -2) for (end_us,) in ends) == sorted(
        round(ended_s, -2) for ended_s in kept
    )
    assert leases == (len(kept),)


async def test_a_window_without_end_goes_with_its_quota_or_its_reset_once_nothing_of_it_is_leased(
    database: Database, database_url: str
) -> None:
    quota_id = a_quota(database_url, an_organization(database_url), period="total")
    deleted, leased = uuid7(), uuid7()
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE quota SET generation = 1 WHERE id = %s", [quota_id])
        for window, generation, granted in ((quota_id, 1, 0), (quota_id, 0, 0), (deleted, 0, 0), (leased, 0, 5)):
            connection.execute(
                "INSERT INTO quota_window VALUES (%s, %s, '', 0, %s, %s)", [window, generation, FOREVER_US, granted]
            )
    assert (await Purge(database).purge())["endless_windows"] == 2
    with psycopg.connect(database_url) as connection:
        left = connection.execute("SELECT quota_id::text, generation FROM quota_window").fetchall()
    assert sorted(left) == sorted([(quota_id, 1), (leased, 0)])


async def test_more_than_one_batch_goes_in_one_run(database: Database, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO quota_window SELECT gen_random_uuid(), 0, '', 0, 1000000 FROM generate_series(1, 2500)"
        )
    assert (await Purge(database).purge())["short_windows"] == 2_500


async def test_a_forgotten_worker_goes_unless_it_has_a_lease(database: Database, database_url: str) -> None:
    gone, leasing, recent = uuid7(), uuid7(), uuid7()
    with psycopg.connect(database_url) as connection:
        for worker_id, days in ((gone, 8), (leasing, 8), (recent, 6)):
            connection.execute(
                "INSERT INTO worker VALUES (%s, 'test', now(), now() - make_interval(days => %s))", [worker_id, days]
            )
        connection.execute(
            "INSERT INTO quota_lease (worker_id, quota_id, generation, subject, start_us) VALUES (%s, %s, 0, '', 0)",
            [leasing, uuid7()],
        )
    assert (await Purge(database).purge())["workers"] == 1
    with psycopg.connect(database_url) as connection:
        left = connection.execute("SELECT id::text FROM worker").fetchall()
    assert {worker_id for (worker_id,) in left} == {leasing, recent}


async def test_an_idempotency_key_goes_when_it_has_expired(database: Database, database_url: str) -> None:
    key_id = an_api_key(database_url)
    with psycopg.connect(database_url) as connection:
        for number, ends in enumerate(("-1 s", "1 h")):
            connection.execute(
                "INSERT INTO idempotency_claim (key_id, digest, body_digest, worker_id, expires_at)"
                " VALUES (%s, %s, %s, %s, now() + %s::interval)",
                [key_id, bytes([number]) * 32, b"b" * 32, uuid7(), ends],
            )
    assert (await Purge(database).purge())["idempotency_claims"] == 1
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT digest FROM idempotency_claim").fetchall() == [(b"\1" * 32,)]
