"""Workers tell each other how providers do, through the database and without a table."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.waiting import eventually
from tollway.data.changes import ALL, Change
from tollway.data.session import Database
from tollway.ledger.usage import Usage
from tollway.routing.breaker import FAILURES_MAX, BreakerState
from tollway.routing.catalog import Credential, Deployment
from tollway.routing.failure import Failure, FailureKind
from tollway.routing.route import RouteTarget
from tollway.services.change_feed import ChangeFeed
from tollway.services.live_health import LiveHealth

ID, OTHER = "0197aaaa-0000-7000-8000-000000000001", "0197aaaa-0000-7000-8000-000000000002"
EAST = Deployment("east", "x", "http://x", "sk-one", "x", provider_id=ID, credentials=(Credential(OTHER, "sk-two"),))
REFUSED = Failure(FailureKind.CREDENTIAL, 401)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def workers(database: Database, url: str) -> AsyncIterator[tuple[LiveHealth, LiveHealth]]:
    """Two workers that hear each other."""
    both = [LiveHealth(database, name, workers=lambda: 2) for name in ("one", "two")]
    listening = asyncio.Barrier(3)

    async def hear(health: LiveHealth) -> None:
        async for change in ChangeFeed(url).listen():
            if change == Change(ALL):
                await listening.wait()
            if change.noun == "health":
                health.hear(change)

    tasks = [asyncio.create_task(part) for health in both for part in (health.run(), hear(health))]
    async with asyncio.timeout(60):
        await listening.wait()
    yield both[0], both[1]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_one_worker_sees_fail_the_other_leaves_alone(database: Database, database_url: str) -> None:
    async with workers(database, database_url) as (one, two):
        patient = one.patient(EAST, "m")
        heard = two.patient(EAST, "m")
        for _ in range(FAILURES_MAX):
            one.failed(patient, Failure(FailureKind.SERVER, 500), ID)
        await eventually(lambda: heard.breaker.state(time.monotonic()) is not BreakerState.CLOSED)
        one.answered(patient, Usage(), 1_000, 2_000, stream=True)
        await eventually(lambda: heard.breaker.allows(0.0))


async def test_a_credential_that_rests_here_rests_there(database: Database, database_url: str) -> None:
    async with workers(database, database_url) as (one, two):
        one.failed(one.patient(EAST, "m"), REFUSED, ID)
        assert one.awake(EAST, "m") == [OTHER]
        await eventually(lambda: two.awake(EAST, "m") == [OTHER])


async def test_credentials_take_turns_without_those_that_rest_and_all_if_all_do(database: Database) -> None:
    health = LiveHealth(database, "one", workers=lambda: 1)
    assert {health.with_credential(EAST, "m")[0].credential for _ in range(4)} == {"sk-one", "sk-two"}
    health.failed(health.patient(EAST, "m"), REFUSED, ID)
    assert {health.with_credential(EAST, "m")[1] for _ in range(4)} == {OTHER}
    health.failed(health.patient(EAST, "m"), REFUSED, OTHER)
    assert len({health.with_credential(EAST, "m")[1] for _ in range(4)}) == 2


async def test_a_credential_that_was_replaced_rests_no_more(database: Database) -> None:
    health = LiveHealth(database, "one", workers=lambda: 1)
    health.awake(EAST, "m")
    health.failed(health.patient(EAST, "m"), REFUSED, ID)
    renewed = Deployment("east", "x", "http://x", "sk-new", "x", provider_id=ID, credentials=EAST.credentials)
    assert health.awake(renewed, "m") == [ID, OTHER]


async def test_news_that_cannot_be_understood_are_none(database: Database) -> None:
    health = LiveHealth(database, "one", workers=lambda: 1)
    for digest in (None, b"", b"[1]", b"{}", b"\xff"):
        health.hear(Change("health", ID, digest))
    assert health.patient(EAST, "m").breaker.allows(0.0)


async def test_a_target_is_full_when_this_workers_share_of_its_limits_is_used(database: Database) -> None:
    health = LiveHealth(database, "one", workers=lambda: 2)
    patient = health.patient(EAST, "m")
    limited = RouteTarget("east", "m", requests_per_minute=4, parallel=6)
    for count in range(3):
        assert patient.is_full(limited, 2, 0.0) is (count >= 2)
        patient.began(0.0)
    assert not patient.is_full(RouteTarget("east", "m", parallel=8), 2, 60.0)
    assert patient.is_full(limited, 2, 60.0), "three run at the same time"
