"""A stand-in for a model provider: a real socket that says what a test scripts and remembers what it heard.

It runs in a thread of the test process, so that a test reads its counts and the received bytes directly. What it
answers is chosen by the ``model`` of the request: `StandIn.on` scripts one, every other model gets the default answer.
"""

import asyncio
import contextlib
import email.message
import email.policy
import functools
import json
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Self, cast

START_TIMEOUT_S = 60.0
LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Pause:
    """Wait before the next step."""

    seconds: float


class Hang:
    """Send nothing more and keep the connection until the other side leaves."""


class Close:
    """End the connection here, whatever was promised."""


class Reset:
    """Drop the connection with a TCP reset."""


class Hold:
    """Wait until the test calls `StandIn.release`."""


Step = bytes | Pause | Hang | Close | Reset | Hold


@dataclass(frozen=True)
class Reply:
    """What to send: ``before`` the head, then the head, then the body's steps.

    ``framing`` is how the body's length is told; ``close`` tells it by closing. ``length`` overrides content-length.
    ``tokens`` are the counts that the reply reports, as ``(input, output)``; None if it reports none.
    """

    steps: Iterable[Step] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    framing: Literal["length", "chunked", "close"] = "length"
    length: int | None = None
    before: tuple[Step, ...] = ()
    tokens: tuple[int, int] | None = None


@dataclass
class Received:
    """One request as it came off the socket."""

    serial: int
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    tokens: tuple[int, int] | None = None
    finished: bool = False
    """Whether the whole reply was written; so a moment after it was read."""
    left: bool = False
    """Whether the other side left a reply that does not go on (`Hang`)."""

    @functools.cached_property
    def json(self) -> dict[str, object]:
        """The body as a JSON object, or the texts of a multipart form; empty if it is neither."""
        if (self.header("content-type") or "").startswith("multipart/"):
            return {name: value.decode() for name, value in self.parts if b"\x00" not in value}
        with contextlib.suppress(ValueError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        return {}

    @property
    def parts(self) -> list[tuple[str, bytes]]:
        """The parts of a multipart form: name and value."""
        head = f"content-type: {self.header('content-type')}\r\n\r\n".encode()
        form = email.message_from_bytes(head + self.body, policy=email.policy.HTTP)
        parts = cast("list[email.message.EmailMessage]", form.get_payload())
        return [
            (str(part.get_param("name", header="content-disposition")), cast("bytes", part.get_payload(decode=True)))
            for part in parts
        ]

    @property
    def model(self) -> str:
        return str(self.json.get("model", ""))

    @property
    def mark(self) -> str:
        """The request's ``user``: how a test finds its own request again, here and in the ledger."""
        return str(self.json.get("user", ""))

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


Script = Callable[[Received], Reply]


@dataclass
class StandIn:
    """The server. Use as a context manager."""

    answer: Script
    received: list[Received] = field(default_factory=list)
    _marked: dict[str, list[Received]] = field(default_factory=dict)
    _scripts: dict[str, Script] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _gate: asyncio.Event = field(default_factory=asyncio.Event)
    _port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def on(self, model: str, script: Script | Reply) -> None:
        """Answer requests for this model with the script."""
        self._scripts[model] = script if callable(script) else lambda _received: script

    def release(self) -> None:
        """Let every reply that waits at a `Hold` go on, and all later ones pass."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def hold(self) -> None:
        """Make replies wait at their `Hold` again."""
        self._loop.call_soon_threadsafe(self._gate.clear)

    def marked(self, mark: str) -> list[Received]:
        """The requests that carried this mark."""
        return list(self._marked.get(mark, ()))

    def count(self) -> dict[str, int]:
        """What was heard and told so far."""
        told = [received.tokens for received in list(self.received) if received.tokens]
        return {
            "requests": len(self.received),
            "input_tokens": sum(tokens[0] for tokens in told),
            "output_tokens": sum(tokens[1] for tokens in told),
        }

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="standin", daemon=True)
        self._thread.start()
        if not started.wait(START_TIMEOUT_S):
            message = "The stand-in did not start."
            raise TimeoutError(message)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_TIMEOUT_S)

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1_024)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            async for received in self._requests(reader):
                if not await self._reply(received, reader, writer):
                    break
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader) -> AsyncIterator[Received]:
        while line := await reader.readline():
            method, path, _version = line.decode("latin-1").split(" ", 2)
            headers: list[tuple[str, str]] = []
            while (line := await reader.readline()) not in {b"\r\n", b""}:
                name, _, value = line.decode("latin-1").partition(":")
                headers.append((name.strip().lower(), value.strip()))
            known = dict(headers)
            if known.get("transfer-encoding") == "chunked":
                body = b"".join([chunk async for chunk in _chunks(reader)])
            else:
                body = await reader.readexactly(int(known.get("content-length", "0")))
            yield Received(len(self.received) + 1, method, path, headers, body)

    async def _reply(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send the reply; False if the connection must end."""
        if received.path == "/count":
            reply = Reply([json.dumps(self.count()).encode()])
        else:
            self.received.append(received)
            self._marked.setdefault(received.mark, []).append(received)
            reply = self._scripts.get(received.model, self.answer)(received)
        received.tokens = reply.tokens
        for step in reply.before:
            if not await self._step(step, reader, writer, chunked=False):
                received.left = isinstance(step, Hang)
                return False
        steps = reply.steps if reply.framing != "length" or reply.length is not None else list(reply.steps)
        writer.write(_head(reply, steps))
        for step in steps:
            if not await self._step(step, reader, writer, chunked=reply.framing == "chunked"):
                received.left = isinstance(step, Hang)
                return False
        if reply.framing == "chunked":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        received.finished = True
        return reply.framing != "close" and reply.length is None

    async def _step(
        self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, chunked: bool
    ) -> bool:
        """Take one step; False if the connection must end."""
        match step:
            case bytes():
                writer.write(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
                await writer.drain()
            case Pause():
                await asyncio.sleep(step.seconds)
            case Hold():
                await self._gate.wait()
            case Hang():
                await reader.read()
                return False
            case Reset():
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                writer.transport.abort()
                return False
            case Close():
                return False
        return not writer.is_closing()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()


def _head(reply: Reply, steps: Iterable[Step]) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.framing == "chunked":
        lines.append("transfer-encoding: chunked")
    elif reply.framing == "length":
        length = reply.length
        if length is None:
            length = sum(len(step) for step in steps if isinstance(step, bytes))
        lines.append(f"content-length: {length}")
    else:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    with contextlib.suppress(ValueError):
        return HTTPStatus(status).phrase
    return "Unassigned"


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of loopback where nobody listens, and nobody else may while the block runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
