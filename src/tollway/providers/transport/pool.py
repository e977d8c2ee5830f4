"""Connections by origin: opened when none is free, kept for a while, watched over."""

import asyncio
import ssl
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog

from tollway.providers.transport.connection import Connection
from tollway.providers.transport.dial import dial
from tollway.providers.transport.proxy import open_tunnel, proxy_for

_IDLE_MAX_S = 30.0
"""Half of the 60 s after which common load balancers hang up: a request must not meet a connection on its way down."""
_IDLE_MAX_PER_ORIGIN = 1_024
_TICK_S = 0.25
"""How exactly timeouts are kept: providers are waited for in seconds."""
_log = structlog.get_logger(__name__)


class Origin(NamedTuple):
    """Where to connect."""

    host: str
    port: int
    tls: bool
    public_only: bool
    """Whether it must be on the public internet. Where the way leads through a proxy, that sees to it."""


class Target(NamedTuple):
    """A URL, taken apart."""

    origin: Origin
    path: bytes
    host_header: bytes


def parse_url(url: str, *, public_only: bool = False) -> Target:
    """Take a URL apart.

    Raises:
        ValueError: it is not an http(s) URL, or holds characters that cannot be sent.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or not url.isprintable():
        message = "not an http or https URL"
        raise ValueError(message)
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if " " in url:
        message = "a URL cannot hold a blank"
        raise ValueError(message)
    host = parts.netloc.rpartition("@")[2]
    return Target(
        Origin(parts.hostname, parts.port or (443 if tls else 80), tls, public_only), path.encode(), host.encode()
    )


class Pool:
    """All connections of one worker."""

    def __init__(self, *, connect_timeout_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle: dict[Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._tls = ssl.create_default_context()
        self._watch: asyncio.Task[None] | None = None

    async def take(self, origin: Origin) -> Connection:
        """A connection that is free now.

        Raises:
            OSError, TimeoutError: none could be made (DNS, refused, TLS).
        """
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.closed:
                self._busy.add(connection)
                return connection
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_over())
        async with asyncio.timeout(self._connect_timeout_s):
            connection = await self._connect(origin)
        self._busy.add(connection)
        return connection

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose reply is whole for the next request; close any other."""
        self._busy.discard(connection)
        idle = self._idle.setdefault(origin, [])
        if connection.reusable and len(idle) < _IDLE_MAX_PER_ORIGIN:
            connection.idle_since_s = time.monotonic()
            idle.append(connection)
        else:
            connection.abort()

    async def aclose(self) -> None:
        """Close all."""
        if self._watch is not None:
            self._watch.cancel()
        for connection in [*self._busy, *(each for idle in self._idle.values() for each in idle)]:
            connection.abort()
        self._idle.clear()

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        tls = self._tls if origin.tls else None
        name = origin.host if origin.tls else None
        proxy = proxy_for(origin.host, origin.port, tls=origin.tls)
        if proxy is None:
            way = dial(origin.host, origin.port, public_only=origin.public_only)
        else:
            way = open_tunnel(proxy, origin.host, origin.port)
        _, connection = await loop.create_connection(Connection, sock=await way, ssl=tls, server_hostname=name)
        if connection.closed:
            message = "the connection was closed as soon as it was made"
            raise ConnectionResetError(message)
        return connection

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                self._tick(time.monotonic())
            except Exception:  # noqa: BLE001 -- without this task no timeout would be kept any more
                _log.exception("connections_not_watched")

    def _tick(self, now_s: float) -> None:
        """Give up on what takes too long, and close what was idle for too long."""
        for connection in list(self._busy):
            connection.tick(now_s)
        for origin, idle in list(self._idle.items()):
            kept = []
            for connection in idle:
                if connection.closed:
                    continue
                if now_s - connection.idle_since_s > _IDLE_MAX_S:
                    connection.abort()
                else:
                    kept.append(connection)
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
