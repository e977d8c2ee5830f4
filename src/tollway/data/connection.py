"""A connection to PostgreSQL that gives up on a server which does not answer: frozen, or behind a network that is cut.

The server's own ``statement_timeout`` ends a statement only while the server runs; without a limit on this side a
silent one would be waited for until the kernel gives up: a quarter of an hour, and on a Unix socket for ever.
"""

import asyncio
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen

_T = TypeVar("_T")
_INTERVAL_S = 0.1
"""How often psycopg looks up from its wait; its own default."""

PATIENCE_S: ContextVar[float | None] = ContextVar("PATIENCE_S", default=None)
"""For the present task: how long one statement may take, in place of the connection's own limit."""


class PromptConnection(psycopg.AsyncConnection):
    """Waits so long for an answer, then closes itself. A wait that is cancelled ends at once, and closes it too.

    psycopg's own would first ask the server to cancel the statement, and wait for that: up to ten seconds.
    """

    patience_s = 60.0

    async def wait(
        self,
        gen: PQGen[_T],
        interval: float = _INTERVAL_S,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is psycopg's
    ) -> _T:
        """Run a step of psycopg's protocol.

        Raises:
            psycopg.OperationalError: the server was silent for too long; after `timeout` (set by psycopg where it only
                looks whether something came) the connection lives on.
        """
        patience_s = timeout if timeout is not None else PATIENCE_S.get() or self.patience_s
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=patience_s)
        except asyncio.CancelledError:
            self._leave()
            raise
        except psycopg.OperationalError:
            if timeout is None:
                self._leave()
            raise

    def _leave(self) -> None:
        """Close the connection unless it is idle: the answer to what was asked may still come, and would be misread."""
        if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            self.pgconn.finish()


def prompt_connection(patience_s: float) -> type[PromptConnection]:
    """The class with this limit, for a driver that makes the connections itself."""
    return type("PromptConnection", (PromptConnection,), {"patience_s": patience_s})
