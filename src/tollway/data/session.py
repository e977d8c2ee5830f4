"""The database as the rest of Tollway sees it: an engine, and two kinds of session.

A read session and a write session are different types on purpose: a store function states in its signature which one
it needs, so that code which only looks cannot change anything, and the reader sees which transactions write.
Stores never begin or commit: services do (``async with database.write() as session, session.begin():``).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NewType

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from tollway.constants import APP_ROLE
from tollway.data.connection import prompt_connection
from tollway.errors import DatabaseUnavailableError

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)
AnySession = ReadSession | WriteSession
"""For a store function that only looks, also within a transaction that writes."""

_SILENCE_MARGIN_S = 1.0
"""A server that runs ends a statement by itself, and says so; only one that does not run is silent for longer."""
_REASONS = {
    psycopg.errors.QueryCanceled.sqlstate: "The database took too long.",
    psycopg.errors.LockNotAvailable.sqlstate: "What is asked for is being changed by somebody else for too long.",
    psycopg.errors.ReadOnlySqlTransaction.sqlstate: "The database takes no changes: it is read-only.",
    psycopg.errors.DiskFull.sqlstate: "The disk of the database is full.",
}
_RETRY_AFTER = (("retry-after", "2"),)


def driver_url(url: str) -> str:
    """The URL with SQLAlchemy's name of the psycopg driver, whatever form of ``postgres://`` was given."""
    for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def libpq_url(url: str) -> str:
    """The URL as psycopg itself takes it."""
    return "postgresql://" + driver_url(url).removeprefix("postgresql+psycopg://")


def create_engine(url: str, *, pool_size: int, timeout_s: float, role: str | None = APP_ROLE) -> AsyncEngine:
    """An engine whose connections act as `role` and give up after `timeout_s` per statement and per lock.

    That also holds for a server that is frozen, or out of reach without a word (`tollway.data.connection`).
    """
    milliseconds = int(timeout_s * 1_000)
    options = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c timezone=UTC"
    options += " -c jit=off"  # by its estimates the drain's statement would be compiled anew for every batch
    if role:
        options += f" -c role={role}"
    return create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text goes to the log; the values of a statement never do
        connect_args={
            "async_creator_fn": prompt_connection(timeout_s + _SILENCE_MARGIN_S).connect,
            "connect_timeout": max(1, int(timeout_s)),
            "options": options,
            "application_name": "tollway",
        },
    )


class Database:
    """Sessions over one engine.

    Raises:
        DatabaseUnavailableError: from inside a session's block, when PostgreSQL could not be reached: never mistaken
            for "not found" or "unknown key".
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A session that must not change anything."""
        async with self._session() as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """A session for changes; the caller begins the transaction."""
        async with self._session() as session:
            yield WriteSession(session)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        try:
            async with AsyncSession(self.engine, expire_on_commit=False) as session:
                yield session
        except PoolTimeoutError as error:
            raise _unavailable("All connections to the database are in use.") from error
        except DBAPIError as error:
            reason = _REASONS.get(getattr(error.orig, "sqlstate", None) or "")
            if reason or error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
                raise _unavailable(reason or "The database could not be reached.") from error
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def _unavailable(reason: str) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        reason,
        next_step="Try again shortly; the operator finds the cause in the log and with `tollway doctor`.",
        headers=_RETRY_AFTER,
    )
