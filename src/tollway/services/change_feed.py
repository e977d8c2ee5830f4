"""Hear of every change of the control plane, for as long as the process lives."""

import asyncio
import random
from collections.abc import AsyncIterator

import structlog

from tollway.constants import NOTIFY_CHANNEL
from tollway.data.change_listener import ListenerLostError, open_listener
from tollway.data.changes import ALL, Change

RETRY_MIN_S = 0.1
RETRY_MAX_S = 5.0
"""Pause between attempts to connect: doubles from the first to the second, and differs between workers. Not shorter:
what tried to connect to a database that stood still must be gone through first when it goes on."""

_log = structlog.get_logger(__name__)


class ChangeFeed:
    """Announcements of one database."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def listen(self) -> AsyncIterator[Change]:
        """Changes, without end.

        The first, and the first after each lost connection, is ``Change("*")``: what happened in between is not known,
        so the consumer reads everything again. It comes after listening began, so that nothing falls between.
        """
        pause_s = RETRY_MIN_S
        while True:
            try:
                async with open_listener(self._url, NOTIFY_CHANNEL) as listener:
                    pause_s = RETRY_MIN_S
                    yield Change(ALL)
                    async for payload in listener.payloads():
                        yield Change.parse(payload)
            except ListenerLostError as error:
                # The type only: libpq's message may hold the connection string.
                _log.warning("change_feed_lost", error=type(error).__name__, retry_s=pause_s)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads load, hides nothing
            pause_s = min(pause_s * 2, RETRY_MAX_S)
