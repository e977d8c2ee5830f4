"""The caller's side of a connection: its body within limits, its leaving, its replies."""

import asyncio
import math
import time
from collections.abc import Sequence

from starlette.types import Receive, Send

from tollway.constants import DISCONNECT_WATCH_DELAY_S
from tollway.errors import BodyTimeoutError, BodyTooLargeError, InvalidRequestError


class CallerLeftError(Exception):
    """The connection closed before the body was whole."""


class HttpCaller:
    """One request's connection, over ASGI.

    Attributes:
        left: whether the caller closed the connection.
        started: whether a status was sent.
    """

    __slots__ = (
        "_body_timeout_s",
        "_content_length",
        "_deadline_s",
        "_max_body_bytes",
        "_receive",
        "_send",
        "_task",
        "_too_slow",
        "_watch_from_s",
        "_watcher",
        "left",
        "started",
    )

    def __init__(
        self,
        receive: Receive,
        send: Send,
        task: asyncio.Task[object],
        *,
        content_length: bytes,
        max_body_bytes: int,
        body_timeout_s: float,
    ) -> None:
        self._receive = receive
        self._send = send
        self._content_length = content_length
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._task = task
        self._deadline_s = math.inf
        self._watch_from_s = math.inf
        self._watcher: asyncio.Task[None] | None = None
        self._too_slow = False
        self.left = False
        self.started = False

    async def read_body(self) -> bytes:
        """The whole body. From then on a caller who leaves cancels the request's task.

        Raises:
            BodyTooLargeError, BodyTimeoutError, InvalidRequestError: as they say.
            CallerLeftError: nobody is there to answer.
        """
        expected = self._expected_bytes()
        if expected is not None and expected > self._max_body_bytes:
            raise self._too_large()
        self._deadline_s = time.monotonic() + self._body_timeout_s
        try:
            body = await self._read(expected)
        except asyncio.CancelledError:
            if not self._too_slow:
                raise
            self._task.uncancel()
            raise BodyTimeoutError(
                f"The body was not there within {self._body_timeout_s:g} s.", next_step="Send it at once."
            ) from None
        self._deadline_s = math.inf
        self._watch_from_s = time.monotonic() + DISCONNECT_WATCH_DELAY_S
        return body

    def tick(self, now_s: float) -> None:
        """Called often while the request runs, in place of timers of its own, which would cost every request."""
        if now_s >= self._deadline_s:
            self._deadline_s = math.inf
            self._too_slow = True
            self._task.cancel()
        elif now_s >= self._watch_from_s:
            self._watch_from_s = math.inf
            self._watcher = asyncio.create_task(self._cancel_when_left())

    async def _read(self, expected: int | None) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise CallerLeftError
        body: bytes = message.get("body", b"")
        if len(body) == expected or not message.get("more_body"):
            return body
        chunks = [body]
        size = len(body)
        while size != expected and message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerLeftError
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_body_bytes:
                raise self._too_large()
        return b"".join(chunks)

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the status and headers."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send part of the body; waits while the caller reads slowly."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Send the last part of the body. Without a word of why it is not whole, the connection's end tells it."""
        self.unwatch()
        if data or whole:
            await self._send({"type": "http.response.body", "body": data})

    def unwatch(self) -> None:
        """Stop looking for the caller leaving."""
        self._watch_from_s = math.inf
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _cancel_when_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self._task.cancel()

    def _expected_bytes(self) -> int | None:
        if not self._content_length:
            return None
        if not self._content_length.isdigit():
            raise InvalidRequestError("`content-length` is not a number.")
        return int(self._content_length)

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"The body exceeds {self._max_body_bytes} bytes.",
            next_step="Send less; the operator can raise TOLLWAY_MAX_BODY_BYTES.",
        )
