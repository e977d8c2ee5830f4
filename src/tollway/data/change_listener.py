"""One connection that listens for announcements; `services.change_feed` opens another when it is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import sql

from tollway.data.connection import PromptConnection
from tollway.data.session import libpq_url

PROBE_INTERVAL_S = 5.0
"""Silence after which the server is asked whether it is still there: a dead connection looks like a quiet one."""
PROBE_TIMEOUT_S = 5.0

ListenerLostError = (psycopg.Error, OSError, TimeoutError)
"""What a lost connection raises."""


class Listener:
    """An open connection on which the channel is listened to."""

    def __init__(self, connection: PromptConnection) -> None:
        self._connection = connection

    async def payloads(self) -> AsyncIterator[str]:
        """Payloads as they come, for ever. Raises one of `ListenerLostError` when the connection is dead."""
        while True:
            async for notification in self._connection.notifies(timeout=PROBE_INTERVAL_S):
                yield notification.payload
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._connection.execute("SELECT 1")


@asynccontextmanager
async def open_listener(url: str, channel: str) -> AsyncIterator[Listener]:
    """Connect and listen: what is announced from now on will be seen. Raises one of `ListenerLostError`."""
    async with await PromptConnection.connect(
        libpq_url(url),
        autocommit=True,
        connect_timeout=int(PROBE_TIMEOUT_S),
        application_name="tollway-changes",
        tcp_user_timeout=int(PROBE_TIMEOUT_S * 1_000),
        keepalives_idle=int(PROBE_INTERVAL_S),
        keepalives_interval=2,
        keepalives_count=3,
    ) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield Listener(connection)
