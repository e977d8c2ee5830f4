"""The one way out to providers: sockets, TLS, pooling, timeouts and size limits. Nothing else opens a socket to one."""

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    BuilderError,
    ConnectError,
    ConnectTimeoutError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response, ResponseBodyReader

from tollway.config.limits import LimitSettings
from tollway.errors import (
    TollwayError,
    UpstreamCutError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)

_CONNECT_CAUSE = "client error (Connect)"


class Upstream:
    """One exchange with a provider. Enter it to send the request; leave it to give the connection back.

    Attributes:
        status: HTTP status.
        headers: the reply's headers, names in lower case, in order.
    """

    __slots__ = ("_provider", "_reader", "_request", "_response", "headers", "status")

    def __init__(self, request: StreamRequest, provider: str) -> None:
        self._request = request
        self._provider = provider
        self._response: Response
        self._reader: ResponseBodyReader
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    async def __aenter__(self) -> Self:
        """Send the request and wait for the reply's headers.

        Raises:
            UpstreamUnreachableError, UpstreamTimeoutError, UpstreamMalformedError: as they say.
        """
        try:
            self._response = await self._request.__aenter__()
        except (PyreqwestError, OSError) as error:
            raise _fault(error, self._provider) from error
        self.status = self._response.status
        self.headers = list(self._response.headers.items())
        self._reader = self._response.body_reader
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._request.__aexit__(kind, error, traceback)

    async def read(self) -> bytes | None:
        """The next bytes of the body as they come, ``None`` at its end.

        Raises:
            UpstreamTimeoutError: nothing came for the read timeout, or the total time is over.
            UpstreamCutError: the connection broke.
        """
        try:
            chunk = await self._reader.read_chunk()
        except (PyreqwestError, OSError) as error:
            raise _fault(error, self._provider) from error
        return None if chunk is None else bytes(chunk)

    async def read_all(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            UpstreamTooLargeError: it exceeds `max_bytes`; reading stops there.
            UpstreamTimeoutError, UpstreamCutError: as for `read`.
        """
        announced = next((value for name, value in self.headers if name == "content-length"), "")
        chunks: list[bytes] = []
        total = 0
        while (chunk := await self.read()) is not None:
            chunks.append(chunk)
            total += len(chunk)
            if announced and announced == str(total):
                break  # whole: waiting for the end as well would cost another turn of the event loop
            if total > max_bytes:
                raise UpstreamTooLargeError(
                    f"The reply of provider {self._provider!r} exceeds {max_bytes} bytes.",
                    next_step="Ask for less, or have the operator raise TOLLWAY_MAX_REPLY_BYTES.",
                )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class Transport:
    """A pooled HTTP client for all providers."""

    def __init__(self, limits: LimitSettings) -> None:
        self._client: Client = (
            ClientBuilder()
            .follow_redirects(enable=False)  # a redirect could carry the credential elsewhere
            .connect_timeout(timedelta(seconds=limits.connect_timeout_s))
            .read_timeout(timedelta(seconds=limits.read_timeout_s))
            .timeout(timedelta(seconds=limits.total_timeout_s))
            .pool_max_idle_per_host(limits.max_concurrent_requests)
            .tcp_nodelay(enabled=True)
            .user_agent("tollway")
            .build()
        )

    def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, provider: str, read_ahead: bool = True
    ) -> Upstream:
        """Prepare a POST; nothing is sent until the exchange is entered.

        Args:
            url: where to.
            headers: of the request.
            body: as it is sent.
            provider: its name, for errors.
            read_ahead: whether entering may wait for a short reply's end. For streams it must not: what came before a
                break would be lost with it.

        Raises:
            UpstreamUnreachableError: the URL or a header cannot be used.
        """
        try:
            builder = self._client.post(url).headers(headers).body_bytes(body)
            request = (builder if read_ahead else builder.streamed_read_buffer_limit(0)).build_streamed()
        except (BuilderError, ValueError) as error:
            raise UpstreamUnreachableError(
                f"Provider {provider!r} is not configured soundly: its address or credential cannot be sent.",
                next_step="An administrator can correct it with `tollway providers`.",
            ) from error
        return Upstream(request, provider)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()


def _fault(error: Exception, provider: str) -> TollwayError:
    if _never_connected(error):
        return UpstreamUnreachableError(
            f"Provider {provider!r} could not be reached: no connection.",
            next_step="Try again; if it lasts, the operator checks the address and network with `tollway doctor`.",
        )
    if isinstance(error, (RequestTimeoutError, TimeoutError)):  # also when it was the headers that never came
        return UpstreamTimeoutError(
            f"Provider {provider!r} did not answer in time.",
            next_step="Try again, or ask for less; TOLLWAY_READ_TIMEOUT_S and TOLLWAY_TOTAL_TIMEOUT_S set the times.",
        )
    return UpstreamCutError(
        f"The connection to provider {provider!r} broke before its reply was whole.", next_step="Try again."
    )


def _never_connected(error: Exception) -> bool:
    """Whether there was no connection, so that the provider cannot have heard the request.

    The library raises its connect errors for everything before the reply's headers, also for a provider that took the
    request and then fell silent; only the chain of causes tells the two apart.
    """
    if not isinstance(error, (ConnectError, ConnectTimeoutError)):
        return False
    return any(cause["message"] == _CONNECT_CAUSE for cause in error.details["causes"] or ())
