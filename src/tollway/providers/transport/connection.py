"""One HTTP/1.1 connection to a provider. The parser is llhttp (`httptools`), the socket the event loop's."""

import asyncio
import math
import time
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_FRAMING_MAX_BYTES = 64 * 1024
"""Bytes without one of the body among them: headers, interim replies, extensions of chunks, trailers."""
_BUFFER_MAX_BYTES = 256 * 1024
"""Reply bytes that are held for a slow reader before the provider is made to wait."""
_FIRST_STATUS, _FIRST_FINAL_STATUS, _LAST_STATUS = 100, 200, 599
_JOIN_MAX_BYTES = 64 * 1024
"""Up to this size head and body go out in one piece: copying is cheaper than a second system call."""


class ConnectionBrokenError(ConnectionError):
    """The connection ended, or spoke something other than HTTP, before the reply was whole."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time.

    Attributes:
        status: of the reply, 0 until its headers came.
        headers: names in lower case, in order.
        done: whether the reply is whole.
        closed: whether the connection is gone.
        idle_since_s: monotonic time at which it became free.
        deadline_s: monotonic time at which to give up waiting, for the next bytes or for the whole.
    """

    __slots__ = (
        "_buffered",
        "_chunks",
        "_ends_by_close",
        "_error",
        "_framing_bytes",
        "_interim",
        "_parser",
        "_paused",
        "_read_timeout_s",
        "_total_deadline_s",
        "_transport",
        "_waiter",
        "closed",
        "deadline_s",
        "done",
        "headers",
        "idle_since_s",
        "status",
    )

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._error: Exception | None = None
        self._framing_bytes = 0
        self._interim = False
        self._ends_by_close = False
        self._read_timeout_s = self._total_deadline_s = math.inf
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.done = True
        self.closed = False
        self.idle_since_s = 0.0
        self.deadline_s = math.inf

    # --- the exchange ---------------------------------------------------------------------------------

    def send(self, head: bytes, body: bytes, *, read_timeout_s: float, total_deadline_s: float) -> None:
        """Send a request; the reply is then awaited with `reply` and `read`."""
        self.status = 0
        self.headers = []
        self.done = False
        self._framing_bytes = 0
        self._ends_by_close = True
        self._read_timeout_s = read_timeout_s
        self._total_deadline_s = total_deadline_s
        self._extend()
        if len(body) <= _JOIN_MAX_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def reply(self) -> None:
        """Wait for the status and headers.

        Raises:
            ConnectionBrokenError, TimeoutError: they did not come.
        """
        while not self.status:
            await self._wait()

    async def read(self) -> bytes | None:
        """What came of the body since the last call; waits if nothing did. ``None`` at its end.

        Raises:
            ConnectionBrokenError, TimeoutError: the end did not come.
        """
        while not self._chunks:
            if self.done:
                return None
            await self._wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._extend()
            if not self.closed:
                self._transport.resume_reading()
        return data

    @property
    def exhausted(self) -> bool:
        """Whether the reply is whole, and all of it was read."""
        return self.done and not self._chunks

    @property
    def reusable(self) -> bool:
        """Whether another request can go over this connection."""
        return (
            self.done
            and not self.closed
            and self._error is None
            and not self._ends_by_close
            and not self._chunks
            and not self._transport.get_write_buffer_size()  # answered before it had read the whole request
        )

    def tick(self, now_s: float) -> None:
        """Called a few times a second: give up when nothing came for too long. No exchange has a timer of its own."""
        deadline_s = self._total_deadline_s if self._paused else self.deadline_s  # paused: the reader is the slow one
        if now_s >= deadline_s and not self.done:
            self._fail(TimeoutError("the provider was silent for too long"))

    def abort(self) -> None:
        """Close the connection at once: the provider sees that nobody waits any more."""
        self.closed = True
        self._transport.abort()

    async def _wait(self) -> None:
        """Wait until something happens; raise if it was the end before its time."""
        if self._error is None and not self.closed:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._raise_fault()

    def _raise_fault(self) -> None:
        if self._chunks or self.done:
            return  # what came before the fault is read first
        if self._error is not None:
            raise self._error
        if self.closed:
            message = "the connection was closed"
            raise ConnectionBrokenError(message)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._error is None and not self.done:  # a reply that is whole stays so, whatever follows it
            self._error = error
        self.abort()
        self._wake()

    def _extend(self) -> None:
        self.deadline_s = min(time.monotonic() + self._read_timeout_s, self._total_deadline_s)

    # --- called by the event loop ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # what `create_connection` promises

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self.done:  # nothing was asked: a broken server, or a goodbye such as 408; either way not for us
            self.abort()
            return
        self._extend()
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(ConnectionBrokenError(f"the reply is not HTTP/1.1: {error}"))
        if self._framing_bytes > _FRAMING_MAX_BYTES:
            self._fail(ConnectionBrokenError("the headers of the reply are too large"))

    def eof_received(self) -> bool:
        """Close our side too."""
        if self.done:
            self.closed = True  # now, so that the pool cannot hand it out before `connection_lost`
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the reply, if this is how its end is told; else it is broken."""
        ended_by_provider = exc is None and not self.closed  # and not by `abort`
        self.closed = True
        if not self.done:
            if self.status and self._ends_by_close and ended_by_provider:
                self.done = True
            elif self._error is None:
                self._error = ConnectionBrokenError("the connection was lost before the reply was whole")
        self._wake()

    # --- called by the parser -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A reply begins: the real one, or an interim one."""
        if self.done:
            message = "a second reply to one request"
            raise ConnectionBrokenError(message)
        self._interim = False
        self._ends_by_close = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer: those are not merged (RFC 9110 section 6.5.1)."""
        if self.status:
            return
        lower = name.decode("latin-1").lower()
        self.headers.append((lower, value.decode("latin-1")))
        if lower == "content-length":
            self._ends_by_close = False
        elif lower == "transfer-encoding":
            self._ends_by_close = False
            if value.strip().lower() != b"chunked":  # the only one a client takes that asks for none
                message = "an unknown transfer coding"
                raise ConnectionBrokenError(message)

    def on_headers_complete(self) -> None:
        """The headers are there."""
        status = self._parser.get_status_code()
        if not _FIRST_STATUS <= status <= _LAST_STATUS:
            message = f"status {status}"
            raise ConnectionBrokenError(message)
        if status < _FIRST_FINAL_STATUS:  # 100 Continue, 103 Early Hints: the reply is still to come
            self._interim = True
            self.headers = []
            return
        self.status = status
        self._wake()

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._framing_bytes = 0
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > _BUFFER_MAX_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The reply is whole."""
        if self._interim:
            return
        self.done = True
        self.deadline_s = math.inf
        if not self._parser.should_keep_alive():
            self._ends_by_close = True  # never to be used again
        self._wake()
