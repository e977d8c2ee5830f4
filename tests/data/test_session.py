"""A server that is silent, or that takes no changes, is told as a database that is away: soon, and with its reason."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import text

from tollway.data.connection import PATIENCE_S
from tollway.data.session import Database, ReadSession, create_engine
from tollway.errors import DatabaseUnavailableError

TIMEOUT_S = 2.0


@asynccontextmanager
async def frozen_backend(session: ReadSession) -> AsyncIterator[None]:
    """The server's process behind this session stands still."""
    backend = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Database]:
    opened = Database(create_engine(database_url, pool_size=1, timeout_s=TIMEOUT_S))
    yield opened
    await opened.close()


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    token = PATIENCE_S.set(seconds)
    yield
    PATIENCE_S.reset(token)


async def answers(database: Database) -> bool:
    try:
        async with database.read() as session:
            return (await session.execute(text("SELECT 2"))).scalar_one() == 2
    except DatabaseUnavailableError:
        return False


async def test_a_server_that_is_frozen_is_given_up_and_the_next_connection_serves(impatient: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="not be reached") as fault:
        async with impatient.read() as session, frozen_backend(session):
            await session.execute(text("SELECT 1"))
    assert dict(fault.value.headers)["retry-after"]
    async with asyncio.timeout(60):
        while not await answers(impatient):  # a busy machine may be late more than once
            pass


async def test_whoever_stops_waiting_for_a_frozen_server_is_free_at_once(database: Database) -> None:
    async with database.read() as session, frozen_backend(session):
        waiting = asyncio.create_task(session.execute(text("SELECT 1")))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=8)  # psycopg alone would take ten seconds
        assert done
        assert waiting.cancelled()


async def test_a_statement_may_be_allowed_to_take_longer(impatient: Database) -> None:
    async with impatient.read() as session, session.begin():
        await session.execute(text("SET LOCAL statement_timeout = '60s'"))
        with patience(60.0):
            await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": TIMEOUT_S + 1.2})


async def test_a_statement_that_takes_too_long_is_told_as_that(impatient: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="took too long"), patience(60.0):  # the server is to say so
        async with impatient.read() as session:
            await session.execute(text("SELECT pg_sleep(9)"))


async def test_a_server_that_takes_no_changes_is_told_as_that(database: Database) -> None:
    async def change() -> None:
        async with database.write() as session, session.begin():
            await session.execute(text("SET LOCAL transaction_read_only = on"))
            await session.execute(text("INSERT INTO database_timeline (timeline) VALUES (1)"))

    with pytest.raises(DatabaseUnavailableError, match="read-only"):
        await change()


async def test_a_killed_backend_is_told_and_the_pool_mends_itself(database: Database) -> None:
    async def survive() -> None:
        async with database.read() as session:
            backend = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with database.read() as other:
                await other.execute(text("SELECT pg_terminate_backend(:backend, 30000)"), {"backend": backend})
            await session.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailableError):
        await survive()
    async with database.read() as session:
        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
