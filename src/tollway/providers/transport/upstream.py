"""One exchange with a provider, and the words for what can go wrong in it."""

import time
from types import TracebackType
from typing import Self

from tollway.errors import (
    TollwayError,
    UpstreamCutError,
    UpstreamMalformedError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)
from tollway.providers.transport.connection import Connection
from tollway.providers.transport.pool import Pool, Target
from tollway.providers.transport.public import PrivateAddressError

_TRY_AGAIN = "Try again; if it lasts, the operator checks the address and network with `tollway doctor`."


class Upstream:
    """Enter it to send the request; leave it to give the connection back. Left early, the provider is hung up on.

    Attributes:
        status: HTTP status.
        headers: the reply's headers, names in lower case, in order.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_head",
        "_pool",
        "_provider",
        "_read_timeout_s",
        "_target",
        "_total_timeout_s",
        "headers",
        "status",
    )

    def __init__(
        self,
        pool: Pool,
        target: Target,
        head: bytes,
        body: bytes,
        *,
        provider: str,
        read_timeout_s: float,
        total_timeout_s: float,
    ) -> None:
        self._pool = pool
        self._target = target
        self._head = head
        self._body = body
        self._provider = provider
        self._read_timeout_s = read_timeout_s
        self._total_timeout_s = total_timeout_s
        self._connection: Connection
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    async def __aenter__(self) -> Self:
        """As `send`."""
        await self.send()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def send(self) -> None:
        """Send the request and wait for the reply's headers; then it must be closed.

        Raises:
            UpstreamUnreachableError: there was no connection, so the provider has not heard the request.
            UpstreamTimeoutError, UpstreamCutError: it may have.
            UpstreamMalformedError: the reply is compressed, though that was not asked for.
        """
        total_deadline_s = time.monotonic() + self._total_timeout_s
        try:
            self._connection = connection = await self._pool.take(self._target.origin)
        except PrivateAddressError as error:
            raise UpstreamUnreachableError(
                f"Provider {self._provider!r} was not called: its host has an address that is not public.",
                next_step="If that is meant, the operator registers it with a key of scope `platform`.",
            ) from error
        except (OSError, TimeoutError, ValueError) as error:
            raise UpstreamUnreachableError(
                f"Provider {self._provider!r} could not be reached: no connection.", next_step=_TRY_AGAIN
            ) from error
        try:
            connection.send(
                self._head, self._body, read_timeout_s=self._read_timeout_s, total_deadline_s=total_deadline_s
            )
            await connection.reply()
        except (OSError, TimeoutError) as error:
            self._pool.give_back(self._target.origin, connection)
            raise self._fault(error) from error
        except BaseException:  # cancelled or failed: given back, then raised again
            self._pool.give_back(self._target.origin, connection)
            raise
        self.status = connection.status
        self.headers = connection.headers
        for name, value in self.headers:
            if name == "content-encoding" and value.lower() not in {"", "identity"}:
                self._pool.give_back(self._target.origin, connection)
                raise UpstreamMalformedError(
                    f"Provider {self._provider!r} compressed its reply, though it was asked not to.",
                    next_step=_TRY_AGAIN,
                )

    def close(self) -> None:
        """Give the connection back; hang up if the reply was not read to its end."""
        self._pool.give_back(self._target.origin, self._connection)

    async def read(self) -> bytes | None:
        """The next bytes of the body as they come, ``None`` at its end.

        Raises:
            UpstreamTimeoutError: nothing came for the read timeout, or the total time is over.
            UpstreamCutError: the connection broke.
        """
        try:
            return await self._connection.read()
        except (OSError, TimeoutError) as error:
            raise self._fault(error) from error

    async def read_all(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            UpstreamTooLargeError: it exceeds `max_bytes`; reading stops there.
            UpstreamTimeoutError, UpstreamCutError: as for `read`.
        """
        chunks: list[bytes] = []
        total = 0
        while not self._connection.exhausted and (chunk := await self.read()) is not None:
            chunks.append(chunk)
            total += len(chunk)
            self.check_size(total, max_bytes)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def length(self) -> int | None:
        """Size of the body in bytes, if the provider told it."""
        told = dict(self.headers).get("content-length", "")
        return int(told) if told.isascii() and told.isdigit() else None

    def check_size(self, size: int, max_bytes: int) -> None:
        """See that a body of `size` bytes is not too large.

        Raises:
            UpstreamTooLargeError: it exceeds `max_bytes`.
        """
        if size > max_bytes:
            raise UpstreamTooLargeError(
                f"The reply of provider {self._provider!r} exceeds {max_bytes} bytes.",
                next_step="Ask for less, or have the operator raise TOLLWAY_MAX_REPLY_BYTES.",
            )

    def _fault(self, error: Exception) -> TollwayError:
        if isinstance(error, TimeoutError):
            return UpstreamTimeoutError(
                f"Provider {self._provider!r} did not answer in time.",
                next_step="Try again, or ask for less: TOLLWAY_READ_TIMEOUT_S and TOLLWAY_TOTAL_TIMEOUT_S.",
            )
        return UpstreamCutError(
            f"The connection to provider {self._provider!r} broke before its reply was whole.", next_step="Try again."
        )
