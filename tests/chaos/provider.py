"""The provider of a chaos run, a process of its own: ``python -m chaos.provider LOG``. It prints its port.

It bills the worst that a provider may: all of a request's tokens the moment it has read it, whether or not anybody
waits for the answer. What it billed is in its log before the first byte of the answer goes out, so the log is the
truth that the ledger and the budgets are held against.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

_HANG_S = 3.0
_WORDS = ("every", "token", "is", "counted", "once", "and", "no", "more", "than", "once")
_ERRORS = {"busy": 429, "broken": 500, "overloaded": 529}
"""Models that answer with an error, and bill nothing."""
_DONE = b"data: [DONE]\n\n"


class Billed(msgspec.Struct, gc=False):
    """A request that was read whole.

    Attributes:
        serial: number of the request.
        mark: the caller's name for it.
        input, output: tokens billed.
        at_us: epoch microseconds.
    """

    serial: int
    mark: str
    input: int
    output: int
    at_us: int


class Ended(msgspec.Struct, gc=False):
    """The end of the request with this serial.

    Attributes:
        serial: number of the request.
        ended_us: epoch microseconds.
    """

    serial: int
    ended_us: int


@dataclass(frozen=True)
class Order:
    """What is asked."""

    mark: str
    model: str
    stream: bool
    told: bool
    """Whether a stream's usage was asked for."""
    input: int
    output: int

    @property
    def usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        }


def read_order(body: bytes) -> Order:
    """Decide what a request costs by its mark alone, up to what its bytes and its ``max_tokens`` allow."""
    asked: dict[str, Any] = json.loads(body)
    mark: str = asked["metadata"]["mark"]
    rng = random.Random(mark)
    text_bytes = sum(len(message["content"].encode()) for message in asked["messages"])
    output_max = asked.get("max_completion_tokens", asked.get("max_tokens", 60))
    to_the_bound = rng.random() < 0.1  # a request that costs all it can
    model = asked["model"]
    return Order(
        mark=mark,
        model=model,
        stream=bool(asked.get("stream")),
        told=bool((asked.get("stream_options") or {}).get("include_usage")),
        input=0 if model in _ERRORS else text_bytes if to_the_bound else rng.randint(1, text_bytes),
        output=0 if model in _ERRORS else output_max if to_the_bound else rng.randint(1, min(output_max, 60)),
    )


class Provider:
    """Serves and bills."""

    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._served = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while body := await _read_body(reader):
                await self._answer(body, writer)
        except (OSError, asyncio.IncompleteReadError, _HangUpError):
            pass
        finally:
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        order = read_order(body)
        self._served += 1
        serial = self._served
        self._write(Billed(serial, order.mark, order.input, order.output, time.time_ns() // 1_000))
        try:
            if status := _ERRORS.get(order.model):
                writer.write(_reply(_error(status), status))
            elif order.model == "hang":
                await asyncio.sleep(_HANG_S)
                raise _HangUpError
            elif order.stream:
                await _stream(order, writer)
            else:
                await asyncio.sleep(random.Random(order.mark).uniform(0.0, 0.05))
                writer.write(_reply(_completion(order), 200))
            await writer.drain()
        finally:
            self._write(Ended(serial, time.time_ns() // 1_000))

    def _write(self, line: Billed | Ended) -> None:
        os.write(self._log, msgspec.json.encode(line) + b"\n")


class _HangUpError(Exception):
    """The provider ends the connection in the middle of an answer."""


async def _read_body(reader: asyncio.StreamReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return b""
        head += line
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(length)


async def _stream(order: Order, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    pause_s = 0.03 if order.model == "slow" else 0.0
    events = list(_events(order))
    for number, event in enumerate(events):
        if order.model == "cut" and number > len(events) // 2:
            raise _HangUpError
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        if pause_s:
            await asyncio.sleep(pause_s)
        if writer.is_closing():
            raise _HangUpError
    writer.write(b"0\r\n\r\n")


def _events(order: Order) -> Iterator[bytes]:
    envelope = {"id": order.mark, "object": "chat.completion.chunk", "created": 1_790_000_000, "model": order.model}
    for number in range(min(order.output, 24)):
        delta = {"content": f" {_WORDS[number % len(_WORDS)]}"}
        yield _event(envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event(envelope | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if order.told and order.model != "no-usage":
        yield _event(envelope | {"choices": [], "usage": order.usage})
    yield _DONE


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _completion(order: Order) -> dict[str, Any]:
    message = {"role": "assistant", "content": " ".join(_WORDS[: order.output])}
    body: dict[str, Any] = {
        "id": order.mark,
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": order.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return body if order.model == "no-usage" else body | {"usage": order.usage}


def _error(status: int) -> dict[str, Any]:
    return {"error": {"message": f"The provider says {status}.", "type": "stub_error", "param": None, "code": None}}


def _reply(value: dict[str, Any], status: int) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(log: Path) -> None:
    server = await asyncio.start_server(Provider(log).connection, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
