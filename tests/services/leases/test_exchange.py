import asyncio
import contextlib
import time

import psycopg
import pytest

from support.leases import an_exchange
from support.quotas import a_quota, an_organization, window_rows
from support.waiting import eventually
from tollway.data.changes import Change
from tollway.ids import uuid7
from tollway.ledger.lease import Ask, Grant
from tollway.ledger.quota import WindowRef
from tollway.services.change_feed import ChangeFeed
from tollway.services.database_clock import DatabaseClock, running_us

HOUR_US = 3_600_000_000


@pytest.fixture
def quota_id(database_url: str) -> str:
    return a_quota(database_url, an_organization(database_url), amount=1_000)


def an_ask(quota_id: str, sequence: int, *, start_us: int = 0, **values: int) -> Ask:
    window = WindowRef(quota_id, values.pop("generation", 0), "", start_us)
    return Ask(window=window, end_us=start_us + HOUR_US, sequence=sequence, **({"have": 0, "held": 0} | values))


async def ask_once(url: str, *asks: Ask, worker_id: str = "") -> list[Grant]:
    async with an_exchange(url, worker_id or uuid7()) as exchange:
        return list((await exchange.exchange(asks)).grants)


async def test_whatever_workers_ask_for_at_the_same_time_never_more_than_the_amount_is_granted(
    database_url: str, quota_id: str
) -> None:
    async def worker(number: int) -> int:
        async with an_exchange(database_url, uuid7()) as exchange:
            have = 0
            for sequence in range(1, 6):
                ask = an_ask(quota_id, sequence, have=have, waiting=number * 7 + 1, want=40)
                (grant,) = (await exchange.exchange([ask])).grants
                have = grant.granted
            return have

    granted = await asyncio.gather(*(worker(number) for number in range(8)))
    row = window_rows(database_url)[WindowRef(quota_id, 0, "", 0)]
    assert sum(granted) == row.granted == row.leased == 1_000


async def test_an_answer_that_was_lost_is_taken_back_by_the_next_exchange(database_url: str, quota_id: str) -> None:
    worker = uuid7()
    await ask_once(database_url, an_ask(quota_id, 1, waiting=600), worker_id=worker)
    (grant,) = await ask_once(database_url, an_ask(quota_id, 2, have=0, waiting=700), worker_id=worker)
    assert grant.granted == 700
    assert window_rows(database_url)[grant.window].granted == 700


async def test_an_exchange_that_arrives_after_a_later_one_changes_nothing(database_url: str, quota_id: str) -> None:
    worker = uuid7()
    await ask_once(database_url, an_ask(quota_id, 2, waiting=100), worker_id=worker)
    (grant,) = await ask_once(database_url, an_ask(quota_id, 1, have=900, waiting=50), worker_id=worker)
    assert window_rows(database_url)[grant.window].leases[worker] == (100, 0)


async def test_what_a_worker_has_spent_is_taken_over_even_above_the_amount(database_url: str, quota_id: str) -> None:
    (grant,) = await ask_once(database_url, an_ask(quota_id, 1, have=1_500, waiting=10))
    assert (grant.granted, grant.left) == (1_500, -500)


async def test_nothing_is_granted_of_a_quota_that_was_reset_or_removed(database_url: str, quota_id: str) -> None:
    gone = uuid7()
    grants = await ask_once(
        database_url, an_ask(quota_id, 1, generation=7, waiting=5), an_ask(gone, 1, have=3, waiting=5)
    )
    assert {grant.window.quota_id: grant.granted for grant in grants} == {quota_id: 0, gone: 3}


async def test_the_slots_of_a_rolling_quota_share_one_amount(database_url: str) -> None:
    quota_id = a_quota(database_url, an_organization(database_url), amount=1_000, period="rolling", length_s=60)
    second_us = 1_000_000
    async with an_exchange(database_url, uuid7()) as exchange:
        for second in range(50):
            start_us = (100 + second) * second_us
            await exchange.exchange([an_ask(quota_id, second + 1, start_us=start_us, waiting=15)])
    (grant,) = await ask_once(database_url, an_ask(quota_id, 51, start_us=150 * second_us, waiting=900, want=900))
    assert (grant.granted, grant.left) == (250, 0)
    # the slot at 101 s counts until 162 s; what was used in it may be used again from then on
    (grant,) = await ask_once(database_url, an_ask(quota_id, 52, start_us=162 * second_us, waiting=900, want=900))
    assert (grant.granted, grant.left) == (30, 0)


async def test_two_slots_that_begin_at_the_same_moment_do_not_overlook_one_another(database_url: str) -> None:
    quota_id = a_quota(database_url, an_organization(database_url), amount=1_000, period="rolling", length_s=60)
    async with contextlib.AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(an_exchange(database_url, uuid7())) for _ in range(6)]
        for attempt in range(10):
            asks = [
                an_ask(quota_id, 1, start_us=(1_000 * (attempt + 1) + number % 2) * 1_000_000, waiting=400)
                for number in range(6)
            ]
            answers = await asyncio.gather(*(worker.exchange([ask]) for worker, ask in zip(workers, asks, strict=True)))
            assert sum(answer.grants[0].granted for answer in answers) == 1_000


async def test_others_are_asked_to_give_back_only_if_they_have_something(database_url: str, quota_id: str) -> None:
    recalls = []

    async def listen() -> None:
        async for change in ChangeFeed(database_url).listen():
            recalls.append(change)  # noqa: PERF401 -- they come one by one, for ever

    listening = asyncio.create_task(listen())
    await eventually(lambda: recalls)
    worker, alone = uuid7(), a_quota(database_url, an_organization(database_url), amount=10)
    await ask_once(database_url, an_ask(alone, 1, waiting=11), worker_id=worker)
    await ask_once(database_url, an_ask(quota_id, 1, waiting=900), worker_id=worker)
    await ask_once(database_url, an_ask(quota_id, 1, waiting=600))
    await eventually(lambda: len(recalls) > 1)
    listening.cancel()
    assert recalls == [Change("*"), Change("recall", quota_id)]


async def test_a_refusal_raises_the_event_of_a_hundred_percent_once(database_url: str, quota_id: str) -> None:
    await ask_once(database_url, an_ask(quota_id, 1, waiting=5_000, refused=True))
    await ask_once(database_url, an_ask(quota_id, 1, waiting=5_000, refused=True))
    with psycopg.connect(database_url) as connection:
        events = connection.execute("SELECT detail->>'percent', detail->>'refusing' FROM audit_event").fetchall()
    assert events == [("100", "true")]


async def test_a_rate_limit_is_settled_by_what_its_worker_counted(database_url: str) -> None:
    quota_id, worker = a_quota(database_url, an_organization(database_url), unit="requests", amount=100), uuid7()
    await ask_once(database_url, an_ask(quota_id, 1, waiting=50), worker_id=worker)
    (grant,) = await ask_once(database_url, an_ask(quota_id, 2, have=50, held=5, spent=20), worker_id=worker)
    row = window_rows(database_url)[grant.window]
    assert (row.granted, row.settled, row.leases[worker], grant.left) == (30, 20, (50, 20), 50)


async def test_after_a_failover_what_workers_have_is_restored_and_nothing_granted(
    database_url: str, quota_id: str
) -> None:
    async with an_exchange(database_url, uuid7()) as exchange:
        assert not (await exchange.exchange([])).recovering
        with psycopg.connect(database_url) as connection:  # as if what is met now were a later one
            connection.execute("UPDATE database_timeline SET timeline = 0")
        exchanged = await exchange.exchange([an_ask(quota_id, 1, have=300, waiting=100)])
        assert exchanged.recovering
        assert [grant.granted for grant in exchanged.grants] == [300]
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE database_timeline SET since = since - interval '11 seconds'")
        exchanged = await exchange.exchange([an_ask(quota_id, 2, have=300, waiting=100)])
        assert not exchanged.recovering
        assert [grant.granted for grant in exchanged.grants] == [400]


async def test_workers_that_were_seen_lately_share_what_is_left(database_url: str, quota_id: str) -> None:
    async with an_exchange(database_url, uuid7()) as one, an_exchange(database_url, uuid7()) as other:
        await one.exchange([])
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE worker SET seen_at = now() + interval '1 hour'")
        assert (await other.exchange([])).workers == 2
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE worker SET seen_at = now() - interval '20 seconds'")
        exchanged = await other.exchange([an_ask(quota_id, 1, want=1_000)])
        assert exchanged.workers == 1
        assert exchanged.grants[0].granted == 500


async def test_windows_follow_the_databases_clock_however_wrong_the_machines_is(database_url: str) -> None:
    clock = DatabaseClock()
    clock.measured(1_000_000, before_us=running_us(), after_us=running_us())
    assert clock.now_us() < 60_000_000
    async with an_exchange(database_url, uuid7(), clock) as exchange:
        await exchange.exchange([])
    assert abs(clock.now_us() - time.time_ns() // 1_000) < 60_000_000
