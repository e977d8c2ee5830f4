import asyncio
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.leases import PATIENCE_S, Spender, in_processes, result_of, spending
from support.postgres import PostgresServer
from support.quotas import WindowRow, a_quota, an_organization, window_rows
from support.waiting import eventually
from tollway.data.changes import Change
from tollway.data.session import Database
from tollway.ids import uuid7
from tollway.ledger.quota import WindowRef
from tollway.ledger.settlement import packed
from tollway.services.database_clock import DatabaseClock
from tollway.services.leases.shelf import Parts
from tollway.services.worker_release import WorkerRelease


@pytest.fixture
def organization_id(database_url: str) -> str:
    return an_organization(database_url)


@pytest.fixture
def quota_id(database_url: str, organization_id: str) -> str:
    """A budget whose window never turns."""
    return a_quota(database_url, organization_id, amount=1_000, period="total")


def the_window(url: str, quota_id: str, *, generation: int = 0) -> WindowRow:
    (row,) = [row for ref, row in window_rows(url).items() if (ref.quota_id, ref.generation) == (quota_id, generation)]
    return row


def change_quota(url: str, quota_id: str, assignment: str) -> None:
    """As the control plane does."""
    with psycopg.connect(url) as connection:
        statement = psycopg.sql.SQL("UPDATE quota SET {} WHERE id = %s")
        connection.execute(statement.format(psycopg.sql.SQL(assignment)), [quota_id])  # type: ignore[arg-type]
        connection.execute("SELECT pg_notify('tollway_changes', %s)", [Change("quota", quota_id).payload])


def connections(url: str) -> int:
    """How many a worker has to this database."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tollway'"
        ).fetchone()
    return int(row[0]) if row else 0


async def heard(spender: Spender, quota_id: str, field: str, value: object) -> None:
    await eventually(lambda: getattr(spender.quota(quota_id), field) == value)


# --- one worker --------------------------------------------------------------------------------------


async def test_after_the_first_request_the_next_ones_find_enough_without_the_database(
    database_url: str, quota_id: str
) -> None:
    async with spending(database_url) as spender:
        assert await spender.request(quota_id, hold=10, use=5)
        lease = spender.keeper.lease(spender.quota(quota_id), "")
        assert lease.free >= 30
        assert (lease.granted, lease.spent, lease.held) == (lease.free + 5, 5, 0)
        sequence = lease.sequence
        assert lease.hold(10)
        spender.settle(lease, 10, 10)
        assert lease.sequence == sequence


async def test_a_request_that_running_ones_leave_no_room_for_is_woken_as_soon_as_one_ends(
    database_url: str, quota_id: str
) -> None:
    async with spending(database_url) as spender:
        running = await spender.admit(quota_id, 900)
        assert running
        waiting = asyncio.create_task(spender.admit(quota_id, 600))
        await eventually(lambda: running.waiting)
        sequence = running.sequence
        await eventually(lambda: running.sequence > sequence + 2)  # the database has no more either
        assert not waiting.done()
        spender.settle(running, 900, 400)
        assert await waiting is running
        assert (running.held, running.spent) == (600, 400)


class StandingClock(DatabaseClock):
    """A clock that only a test puts forward."""

    us = 1_800_000_000_000_000
    """The beginning of a second in the middle of a day."""

    def now_us(self) -> int:
        return self.us


async def test_leases_of_windows_long_past_are_forgotten_and_the_next_ones_go_on(
    database_url: str, organization_id: str
) -> None:
    limit_id = a_quota(database_url, organization_id, unit="requests", period="second", amount=1_000)
    clock = StandingClock()
    async with spending(database_url, clock=clock) as spender:
        for _ in range(3):
            assert await spender.request(limit_id, hold=1, use=1)
            past = spender.keeper.lease(spender.quota(limit_id), "")
            async with asyncio.timeout(PATIENCE_S):
                while past in spender.keeper._shelf.upkeep:
                    clock.us += 10_000_000
                    await asyncio.sleep(0.01)


async def test_the_leases_of_a_route_are_found_again_when_one_of_its_windows_or_quotas_is_another(
    database_url: str, organization_id: str
) -> None:
    limit_id = a_quota(database_url, organization_id, unit="requests", period="second", amount=1_000)
    budget_id = a_quota(database_url, organization_id)
    clock = StandingClock()
    async with spending(database_url, clock=clock) as spender:
        keeper = spender.keeper
        parts = Parts([(spender.quota(each), "") for each in (budget_id, limit_id)])
        budget, limit = keeper.leases(parts).leases
        assert keeper.leases(parts).leases == (budget, limit)
        clock.us += 1_000_000
        following = keeper.leases(parts).leases[1]
        assert following.ref.start_us == limit.end_us
        assert keeper.leases(parts).leases == (budget, following)
        keeper._end(budget)
        assert keeper.leases(parts).leases[1] is following
        assert [charged.windows for charged in parts.present.charges] == [packed([budget.ref])]


async def test_what_can_never_fit_is_not_waited_for(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as spender:
        lease = await spender.admit(quota_id, 990)
        assert lease
        spender.settle(lease, 990, 990)
        assert not await spender.request(quota_id, hold=11, use=1, patience_s=0.2)
        assert await spender.request(quota_id, hold=10, use=10)


async def test_a_worker_that_stops_gives_back_all_but_what_it_spent(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as spender:
        await asyncio.gather(*(spender.request(quota_id, hold=10, use=3, lasts_s=0.01) for _ in range(20)))
    row = the_window(database_url, quota_id)
    assert row.granted == row.leased == 60


async def test_the_next_second_is_leased_before_it_begins(database_url: str, organization_id: str) -> None:
    quota_id = a_quota(database_url, organization_id, unit="requests", period="second", amount=1_000)
    clock = StandingClock()
    async with spending(database_url, clock=clock) as spender:
        assert await spender.request(quota_id, hold=1, use=1)
        clock.us += 900_000
        ahead = WindowRef(quota_id, 0, "", StandingClock.us + 1_000_000)
        leases = spender.keeper._shelf.leases
        await eventually(lambda: ahead in leases and leases[ahead].answer)
        clock.us += 100_000
        lease = spender.keeper.lease(spender.quota(quota_id), "")
        assert lease is leases[ahead]
        assert lease.hold(1)


async def test_a_thousand_subjects_are_leased_each_on_its_own(database_url: str, organization_id: str) -> None:
    quota_id = a_quota(database_url, organization_id, amount=10, each=["user"])
    async with spending(database_url) as spender:
        users = [f'["user-{number}"]' for number in range(1_000)]
        served = await asyncio.gather(*(spender.request(quota_id, hold=10, use=10, subject=user) for user in users))
        assert all(served)
        assert not await spender.request(quota_id, hold=1, use=1, subject=users[0], patience_s=0.2)


async def test_keys_take_turns_however_many_requests_one_of_them_has_waiting(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as spender:
        lease = await spender.admit(quota_id, 1_000)
        assert lease
        order: list[str] = []

        async def wait(key: str) -> None:
            while not lease.hold(10):
                await spender.keeper.wait([(lease, 10)], timeout_s=PATIENCE_S, key=key)
            order.append(key)

        tasks = [asyncio.create_task(wait(key)) for key in ["greedy"] * 6 + ["modest"] * 2]
        await eventually(lambda: lease.waiting == 8)
        for _ in range(8):
            spender.settle(lease, 10, 0)
        await asyncio.gather(*tasks)
    assert sorted(order[:4]) == ["greedy", "greedy", "modest", "modest"]


# --- several workers ---------------------------------------------------------------------------------


async def test_what_one_worker_does_not_need_comes_back_when_another_lacks_it(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as rich, spending(database_url) as poor:
        assert await rich.request(quota_id, hold=900, use=0)
        assert await poor.request(quota_id, hold=800, use=800)
        assert not await poor.request(quota_id, hold=300, use=300, patience_s=0.3)
        assert await rich.request(quota_id, hold=200, use=200)


async def test_one_users_lack_takes_nothing_from_another_user(database_url: str, organization_id: str) -> None:
    quota_id = a_quota(database_url, organization_id, amount=1_000, each=["user"])
    async with spending(database_url) as rich, spending(database_url) as poor:
        for user in ("one", "other"):
            assert await rich.request(quota_id, hold=100, use=0, subject=user)
        before = [rich.keeper.lease(rich.quota(quota_id), user) for user in ("one", "other")]
        assert await poor.request(quota_id, hold=1_000, use=0, subject="one")
        assert before[0].free == 0
        assert before[1].free > 0


async def test_two_workers_that_each_hold_a_half_do_not_keep_each_other_waiting(
    database_url: str, quota_id: str
) -> None:
    async with spending(database_url) as one, spending(database_url) as other:
        first, second = await one.admit(quota_id, 500), await other.admit(quota_id, 500)
        assert first
        assert second
        requests = [
            asyncio.create_task(spender.request(quota_id, hold=700, use=100, lasts_s=0.01)) for spender in (one, other)
        ]
        await eventually(lambda: first.waiting and second.waiting)
        one.settle(first, 500, 100)
        other.settle(second, 500, 100)
        assert await asyncio.gather(*requests) == [True, True]
        assert one.spent + other.spent == 400


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "least", "most"),
    [
        # all that is left before the last request suffices for it, wherever it is leased
        pytest.param({"count": 93, "use": [1, 2, 5]}, 992, 992, id="what-fits-is-served"),
        pytest.param({"count": 200, "use": [1, 2, 3, 8], "patience_s": 0.5}, 1, 1_000, id="what-does-not-fit-is-not"),
    ],
)
def test_four_processes_use_a_budget_up_and_never_more(
    database_url: str, quota_id: str, plan: dict[str, Any], least: int, most: int
) -> None:
    plans = [plan | {"quota": quota_id, "parallel": 50, "hold": 8, "lasts_s": 0.01}] * 4
    used = sum(amount for process in in_processes(database_url, plans) for *_, amount in result_of(process)["used"])
    assert least <= used <= most
    row = the_window(database_url, quota_id)
    assert row.granted == row.leased == used


@pytest.mark.slow
async def test_a_killed_process_strands_what_it_had_until_it_is_released_and_nothing_is_exceeded(
    database_url: str, database: Database, quota_id: str
) -> None:
    victim = uuid7()
    plan = {"quota": quota_id, "count": 10_000, "parallel": 4, "hold": 20, "use": [1], "lasts_s": 0.05}
    (process,) = in_processes(database_url, [plan | {"worker_id": victim}])
    await eventually(lambda: window_rows(database_url))
    process.kill()
    process.wait()
    await eventually(lambda: not connections(database_url))  # what it sent last may still be carried out
    stranded = the_window(database_url, quota_id).leases[victim][0]
    assert stranded > 0
    async with spending(database_url) as spender:
        while spender.spent + 20 <= 1_000 - stranded:
            assert await spender.request(quota_id, hold=20, use=20)
        assert not await spender.request(quota_id, hold=20, use=20, patience_s=0.5)
        await WorkerRelease(database).release(victim)
        while spender.spent < 1_000:
            assert await spender.request(quota_id, hold=20, use=20)
        assert not await spender.request(quota_id, hold=20, use=20, patience_s=0.5)


@pytest.mark.slow
def test_four_processes_share_a_limit_a_second_and_never_exceed_it(database_url: str, organization_id: str) -> None:
    quota_id = a_quota(database_url, organization_id, unit="requests", period="second", amount=100)
    plan = {"quota": quota_id, "count": 100, "parallel": 10, "hold": 1, "use": [1], "every_s": 0.02}
    windows: dict[int, int] = {}
    for process in in_processes(database_url, [plan] * 4):
        for _, start_us, amount in result_of(process)["used"]:
            windows[start_us] = windows.get(start_us, 0) + amount
    assert max(windows.values()) <= 100
    assert sum(windows.values()) == 400, "a request that waits is served in a later second"


# --- changes -----------------------------------------------------------------------------------------


async def test_a_lowered_amount_holds_at_once_and_a_raised_one_too(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as spender:
        assert await spender.request(quota_id, hold=100, use=100)
        change_quota(database_url, quota_id, "amount = 150")
        await heard(spender, quota_id, "amount", 150)
        assert not await spender.request(quota_id, hold=51, use=51, patience_s=0.3)
        change_quota(database_url, quota_id, "amount = 151")
        await heard(spender, quota_id, "amount", 151)
        assert await spender.request(quota_id, hold=51, use=51)


async def test_a_temporary_raise_ends_by_itself(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as spender:
        change_quota(database_url, quota_id, "raised_amount = 5000, raised_until = now() + interval '1 hour'")
        await heard(spender, quota_id, "raised_amount", 5_000)
        assert await spender.request(quota_id, hold=1_500, use=900)
        change_quota(database_url, quota_id, "raised_until = now() + interval '1 second'")
        lease = spender.keeper.lease(spender.quota(quota_id), "")
        # what is free of the raised amount is given back by the next exchange, if the change is heard late
        await eventually(lambda: lease.answer and lease.answer.amount == 1_000 and lease.granted <= 1_000)
        assert not await spender.request(quota_id, hold=101, use=101, patience_s=0.3)
        assert await spender.request(quota_id, hold=100, use=100)


async def test_a_reset_begins_a_new_window_and_the_old_one_keeps_what_it_spent(
    database_url: str, quota_id: str
) -> None:
    async with spending(database_url) as spender:
        before = await spender.admit(quota_id, 1_000)
        assert before
        change_quota(database_url, quota_id, "generation = 1")
        await heard(spender, quota_id, "generation", 1)
        assert await spender.request(quota_id, hold=1_000, use=1_000)
        spender.settle(before, 1_000, 700)
        await eventually(lambda: the_window(database_url, quota_id).granted == 700)
        assert the_window(database_url, quota_id, generation=1).granted == 1_000


async def test_a_paused_budget_leases_nothing_and_goes_on_where_it_was(database_url: str, quota_id: str) -> None:
    async with spending(database_url) as spender:
        assert await spender.request(quota_id, hold=600, use=600)
        change_quota(database_url, quota_id, "paused = true")
        await heard(spender, quota_id, "paused", value=True)
        await eventually(lambda: the_window(database_url, quota_id).granted == 600)
        change_quota(database_url, quota_id, "paused = false")
        await heard(spender, quota_id, "paused", value=False)
        assert not await spender.request(quota_id, hold=401, use=1, patience_s=0.3)
        assert await spender.request(quota_id, hold=400, use=400)


# --- the database is away ----------------------------------------------------------------------------


@pytest.mark.slow
async def test_without_the_database_what_is_leased_is_spent_and_then_nobody_waits(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as server:
        url = server.create().app
        quota_id = a_quota(url, an_organization(url), amount=1_000)
        async with spending(url) as spender:
            assert await spender.request(quota_id, hold=50, use=50)
            lease = spender.keeper.lease(spender.quota(quota_id), "")
            await asyncio.to_thread(server.stop)
            await eventually(lambda: not spender.keeper.available)
            leased = lease.free  # from here on nothing is given back
            assert leased >= 10
            while await spender.request(quota_id, hold=10, use=10, patience_s=0.0):
                pass
            assert leased - 10 < spender.spent - 50 <= leased
            began_s = time.monotonic()
            await spender.keeper.wait([(lease, 10)], timeout_s=3_600)
            assert time.monotonic() - began_s < PATIENCE_S
            await asyncio.to_thread(server.start)
            await eventually(lambda: spender.keeper.available)
            while spender.spent < 1_000:
                assert await spender.request(quota_id, hold=10, use=10)


async def forget_leases(url: str, *, promoted: str) -> None:
    """Make the database what a promoted standby is that lacks the last seconds. Args: promoted: how long ago."""
    await asyncio.to_thread(_forget_leases, url, promoted)  # an exchange that is under way must be able to end


def _forget_leases(url: str, promoted: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE quota_window SET granted = 0")  # locked first by an exchange, too
        connection.execute("DELETE FROM quota_lease")
        connection.execute("UPDATE database_timeline SET timeline = 0")
        connection.execute("INSERT INTO database_timeline VALUES (1, now() - %s::interval)", [promoted])


RECOVERING = "-1 hour"
"""For longer than a test takes."""


async def test_after_a_failover_that_forgot_leases_workers_restore_them_before_anything_is_granted(
    database_url: str, quota_id: str
) -> None:
    async with spending(database_url) as spender:
        assert await spender.request(quota_id, hold=100, use=60)
        lease = spender.keeper.lease(spender.quota(quota_id), "")
        await forget_leases(database_url, promoted=RECOVERING)
        await eventually(lambda: not spender.keeper.available)
        await eventually(lambda: the_window(database_url, quota_id).granted == lease.granted)
        assert not await spender.request(quota_id, hold=900, use=900, patience_s=0.3)
        assert await spender.request(quota_id, hold=10, use=0), "what is leased is there all the time"
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE database_timeline SET since = now() - interval '11 seconds'")
        await eventually(lambda: spender.keeper.available)
        assert await spender.request(quota_id, hold=900, use=900)


async def test_every_one_of_many_leases_is_restored_while_nothing_is_granted(
    database_url: str, organization_id: str
) -> None:
    quota_id = a_quota(database_url, organization_id, amount=10, each=["user"])
    async with spending(database_url, clock=StandingClock()) as spender:
        users = [f'["user-{number}"]' for number in range(1_200)]
        assert all(await asyncio.gather(*(spender.request(quota_id, hold=10, use=10, subject=user) for user in users)))
        await eventually(lambda: not spender.keeper._due)  # nothing else makes it tell of a lease
        await forget_leases(database_url, promoted=RECOVERING)
        await eventually(lambda: sum(row.granted for row in window_rows(database_url).values()) == 12_000)


async def test_a_worker_that_meets_a_promoted_database_long_after_others_restores_its_leases_too(
    database_url: str, quota_id: str
) -> None:
    async with spending(database_url, clock=StandingClock()) as spender:
        assert await spender.request(quota_id, hold=100, use=60)
        lease = spender.keeper.lease(spender.quota(quota_id), "")
        await eventually(lambda: not spender.keeper._due)  # nothing else makes it tell of a lease
        await forget_leases(database_url, promoted="1 hour")
        other = a_quota(database_url, an_organization(database_url))
        await spender.keeper.follow(Change("quota", other))
        assert await spender.request(other, hold=1, use=1)
        await eventually(lambda: the_window(database_url, quota_id).granted == lease.granted >= 60)
