"""A connection that can be cut and delayed: a proxy for TCP and for Unix sockets."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_READ_BYTES = 65_536

Address = Path | int
"""A Unix socket, or a port of loopback."""


@dataclass
class Proxy:
    """Passes bytes both ways, until it is told otherwise. Use as an async context manager.

    Attributes:
        target: where connections go; may change.
        listen: where it listens; port 0 becomes the one that was found.
        delay_s: how long every piece of data waits, each way.
    """

    target: Address
    listen: Address = 0
    delay_s: float = 0.0
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _refuses: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _served: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._flowing.set()
        if isinstance(self.listen, Path):
            self._server = await asyncio.start_unix_server(self._connection, self.listen)
        else:
            self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.listen, backlog=1_024)
            self.listen = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening, and end every connection."""
        self._server.close()
        self.heal()
        self.sever()
        await asyncio.gather(*self._served, return_exceptions=True)

    def cut(self) -> None:
        """End every connection, and every new one at once."""
        self._refuses = True
        self.sever()

    def sever(self) -> None:
        """End every connection; new ones may come."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Take what is sent and pass nothing on, as a network does that lost the other side."""
        self._flowing.clear()

    def heal(self) -> None:
        """Pass everything on again."""
        self._refuses = False
        self.delay_s = 0.0
        self._flowing.set()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task
        self._served.add(task)
        task.add_done_callback(self._served.discard)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await _connect(self.target)
            self._writers.add(far)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, far))
                pumps.create_task(self._pump(far_reader, writer))
        except* (OSError, RuntimeError):  # the latter is uvloop's word for a connection that is closed already
            pass
        finally:
            for each in filter(None, (writer, far)):
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass on what comes, and then the end of it."""
        while data := await source.read(_READ_BYTES):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        sink.write_eof()


async def _connect(target: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, Path):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection("127.0.0.1", target)
