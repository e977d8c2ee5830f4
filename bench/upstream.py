"""A stand-in for OpenAI that is much faster than any gateway: one process, no framework, fixed answers.

It answers every POST as a chat completion, plain or streamed, and counts what it served. ``GET /count`` tells the
counts, so that a gateway's ledger can be held against what its provider saw.
"""

import argparse
import asyncio
import json
import random
import re
from typing import cast

import uvloop

PROMPT_TOKENS = 212
COMPLETION_TOKENS = 42
REPLY_TEXT = (
    "A reverse proxy takes requests from clients and passes them on to one of several servers behind it. It hides "
    "those servers, spreads the load between them, and can end TLS, cache replies and refuse callers that ask too much."
)
HEADER_MAX_BYTES = 64 * 1024

_USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_IDENTITY = {
    "id": "chatcmpl-Bq1pT0llwayBench0000000000001",
    "created": 1_763_000_000,
    "model": "gpt-4o-mini-2024-07-18",
}
_STREAM_WANTED = re.compile(rb'"stream"\s*:\s*true')
_USAGE_WANTED = re.compile(rb'"include_usage"\s*:\s*true')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"transfer-encoding:\s*chunked", re.IGNORECASE)


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _reply(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _plain_reply() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": REPLY_TEXT, "refusal": None}}
    choices = [choice | {"logprobs": None, "finish_reason": "stop"}]
    body = _IDENTITY | {"object": "chat.completion", "choices": choices, "usage": _USAGE, "service_tier": "default"}
    return _reply(_json(body))


def _event(fields: dict[str, object]) -> bytes:
    """One SSE event in one HTTP chunk."""
    return _http_chunk(b"data: %b\n\n" % _json(_IDENTITY | {"object": "chat.completion.chunk"} | fields))


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_PLAIN = _plain_reply()
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_STREAM_WORDS = [
    _event({"choices": [{"index": 0, "delta": {"content": f" {word}"}, "finish_reason": None}]})
    for word in REPLY_TEXT.split()
]
"""The words of the answer in turn: some gateways end a stream that says the same again and again."""
_STREAM_STOP = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
_STREAM_USAGE = _event({"choices": [], "usage": _USAGE})
_STREAM_END = _http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Counts:
    """What was served since the start: requests read whole, streams among them, streams sent to their end."""

    def __init__(self) -> None:
        self.requests = 0
        self.streams = 0
        self.streams_ended = 0

    def as_reply(self) -> bytes:
        """The counts as an HTTP reply."""
        return _reply(_json(vars(self)))


class Upstream(asyncio.Protocol):
    """One connection. Requests are answered in their order; a stream holds the next request back."""

    def __init__(self, counts: Counts, *, events: int, pace_s: float, delay_s: float) -> None:
        self.counts = counts
        self.delay_s = delay_s
        self.events = events
        self.pace_s = pace_s
        self.buffer = b""
        self.streaming = False
        self.writable = True
        self.left = 0
        self.tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. uvloop's transports are no subclass of asyncio's, they only behave like them."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """Stop a stream whose reader left."""
        self.left = -1

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in the buffer."""
        self.buffer = self.buffer + data if self.buffer else data
        while self.buffer and not self.streaming:
            body_end = self._request_end()
            if body_end is None:
                return
            request, self.buffer = self.buffer[:body_end], self.buffer[body_end:]
            self._answer(request)

    def _request_end(self) -> int | None:
        """Where the first request of the buffer ends, ``None`` if it is not whole yet."""
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if len(self.buffer) > HEADER_MAX_BYTES:
                self.transport.abort()
            return None
        length = _LENGTH.search(self.buffer, 0, head_end)
        if length is not None:
            end = head_end + 4 + int(length[1])
            return end if len(self.buffer) >= end else None
        if _CHUNKED.search(self.buffer, 0, head_end):
            last = self.buffer.find(b"0\r\n\r\n", head_end)
            return last + 5 if last >= 0 else None
        return head_end + 4

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET /count"):
            self.transport.write(self.counts.as_reply())
            return
        self.counts.requests += 1
        if not _STREAM_WANTED.search(request):
            self._send_plain()
            return
        self.counts.streams += 1
        self.streaming = True
        self.left = self.events
        self.tail = _STREAM_STOP + (_STREAM_USAGE if _USAGE_WANTED.search(request) else b"") + _STREAM_END
        self.transport.write(_STREAM_HEAD)
        self._continue()

    def _send_plain(self) -> None:
        if self.delay_s:
            delay_s = self.delay_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads replies, keeps no secret
            asyncio.get_running_loop().call_later(delay_s, self.transport.write, _PLAIN)
        else:
            self.transport.write(_PLAIN)

    def _continue(self) -> None:
        """Send one event, each in its own write, as a model does; without a pace one each turn of the loop."""
        if self.left < 0 or not self.writable:
            return
        if self.left:
            self.left -= 1
            self.transport.write(_STREAM_WORDS[self.left % len(_STREAM_WORDS)])
            self._continue_soon()
            return
        self.transport.write(self.tail)
        self.counts.streams_ended += 1
        self.streaming = False
        self.data_received(b"")

    def _continue_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self.pace_s:
            loop.call_later(self.pace_s, self._continue)
        else:
            loop.call_soon(self._continue)

    def pause_writing(self) -> None:
        """The reader is slower than we are."""
        self.writable = False

    def resume_writing(self) -> None:
        """The reader has caught up."""
        self.writable = True
        if self.streaming:
            self._continue_soon()


async def serve(port: int, *, events: int, pace_s: float, delay_s: float) -> None:
    """Serve on loopback until killed."""
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Upstream(counts, events=events, pace_s=pace_s, delay_s=delay_s), "127.0.0.1", port, backlog=4_096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Print the port (``--port 0`` takes a free one), then serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--events", type=int, default=200, help="content events of a stream")
    parser.add_argument(
        "--pace-ms", type=float, default=0.0, help="milliseconds between events; 0 is as fast as can be"
    )
    parser.add_argument("--delay-ms", type=float, default=0.0, help="milliseconds before a plain reply, ± half of it")
    given = parser.parse_args()
    delay_s = given.delay_ms / 1_000
    uvloop.run(serve(given.port, events=given.events, pace_s=given.pace_ms / 1_000, delay_s=delay_s))


if __name__ == "__main__":
    main()
