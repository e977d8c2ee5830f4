"""A provider below HTTP: a socket server whose connections a test scripts byte by byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Provider:
    """What the server saw."""

    port: int = 0
    tls: bool = False
    host: str = "127.0.0.1"
    opened: int = 0
    left: int = 0
    """Connections that the other side has ended."""
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/v1/chat/completions"

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request, head and body."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
        self.requests.append(head + await reader.readexactly(length))
        return self.requests[-1]


@contextlib.asynccontextmanager
async def serving(
    script: Callable[[Provider], Connected], *, context: ssl.SSLContext | None = None, listen: str = "127.0.0.1"
) -> AsyncIterator[Provider]:
    """Run a script for every connection; the connection ends with it."""
    provider = Provider(tls=context is not None, host=f"[{listen}]" if ":" in listen else listen)
    connected = script(provider)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        provider.opened += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await connected(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()

    server = await asyncio.start_server(serve, listen, 0, ssl=context)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()


def says(*pieces: bytes, close: bool = False) -> Callable[[Provider], Connected]:
    """Answers each request of a connection with the same bytes; then closes it, or waits for the next."""

    def script(provider: Provider) -> Connected:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await provider.request(reader):
                    for piece in pieces:
                        writer.write(piece)
                        await writer.drain()
                    if close:
                        return
            except (OSError, asyncio.IncompleteReadError):
                provider.left += 1

        return connected

    return script


def silent(*pieces: bytes) -> Callable[[Provider], Connected]:
    """Takes a request, says something or nothing, and waits until the other side leaves."""

    def script(provider: Provider) -> Connected:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await provider.request(reader)
                for piece in pieces:
                    writer.write(piece)
                await reader.read()
            finally:
                provider.left += 1

        return connected

    return script
