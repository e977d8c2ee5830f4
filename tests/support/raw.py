"""HTTP as bytes on a socket: for what no well-behaved client sends, and for leaving at a chosen moment."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

READ_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """What came back: status 0 if nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    """Whether the body came to its announced end."""

    @property
    def error(self) -> dict[str, Any]:
        """The error object of OpenAI's envelope."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def request(path: str, body: bytes, *, key: str, method: str = "POST", headers: Iterable[str] = ()) -> bytes:
    """The bytes of one request that closes its connection."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: tollway",
        f"authorization: Bearer {key}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def exchange(url: str, sent: bytes, *, timeout_s: float = 60.0) -> Answer:
    """Send bytes, read the answer."""
    with socket.create_connection(address(url), timeout=timeout_s) as connection:
        with contextlib.suppress(ConnectionError):  # it may answer and close before it has read everything
            connection.sendall(sent)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer:
    """Read one answer: to its announced end, or to the end of the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(READ_BYTES):
            received += data
            if _is_announced_and_whole(received):
                break
    return parse(received)


def _is_announced_and_whole(received: bytes) -> bool:
    answer = parse(received)
    return answer.whole and not answer.headers.keys().isdisjoint({"content-length", "transfer-encoding"})


def parse(received: bytes) -> Answer:
    """Read one response."""
    head, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return Answer()
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body, whole = _unchunk(rest)
    else:
        body, whole = rest, len(rest) == int(headers.get("content-length", len(rest)))
    return Answer(int(status.split(" ")[1]), headers, body, whole)


def _unchunk(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while data:
        size, found, data = data.partition(b"\r\n")
        if not found:
            break
        length = int(size, 16)
        if length == 0:
            return body, True
        body += data[:length]
        data = data[length + 2 :]
    return body, False


async def exchange_async(url: str, sent: bytes, *, leave_after_s: float | None = None) -> Answer:
    """Send bytes, read to the end, or leave after a time whatever came; never raises for a broken connection."""
    received = bytearray()
    writer = None
    try:
        async with asyncio.timeout(leave_after_s):
            reader, writer = await asyncio.open_connection(*address(url))
            writer.write(sent)
            while data := await reader.read(READ_BYTES):
                received += data
    except (OSError, TimeoutError):
        pass
    finally:
        if writer is not None:
            writer.transport.abort()
    return parse(bytes(received))
