"""Open-loop load: requests leave at a fixed rate, whether or not the earlier ones have come back.

A closed loop waits for a slow answer before it asks again, and so never sees the wait it would have caused
("coordinated omission"). Here every latency counts from the moment at which the request was due: a late start, a queue
for a free connection and a slow target all count in full.

One thread, epoll and a kernel timer (timerfd), because the timers of event loops are a millisecond coarse.
"""

import argparse
import ctypes
import json
import os
import re
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count

CONNECTIONS_AT_START = 16
CONNECTIONS_MAX = 512
START_DELAY_NS = 200_000_000
DRAIN_TIMEOUT_S = 30.0
READ_BYTES = 256 * 1024

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_TIMER_ABSTIME = 1
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))

    @classmethod
    def of(cls, ns: int) -> "_Timespec":
        return cls(ns // 1_000_000_000, ns % 1_000_000_000)


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


def metronome(start_ns: int, interval_ns: int) -> int:
    """A timerfd that becomes readable at ``start_ns`` of the monotonic clock and every interval after it.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
    when = _Itimerspec(_Timespec.of(interval_ns), _Timespec.of(start_ns))
    if descriptor < 0 or libc.timerfd_settime(descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(when), None):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return descriptor


class Connection:
    """One keep-alive connection: at most one request on it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=5.0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due_ns = 0
        self.received = b""

    def whole_reply(self) -> bool:
        """Read what is there; whether the reply is complete.

        Raises:
            ConnectionError: the target closed in the middle.
        """
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("closed by the target")
        self.received += data
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        length = _LENGTH.search(self.received, 0, head_end)
        if length is not None:
            return len(self.received) >= head_end + 4 + int(length[1])
        return self.received.endswith(b"0\r\n\r\n")


@dataclass
class Load:
    """A run: ``total`` requests, one every ``interval_ns``."""

    address: tuple[str, int]
    request: bytes
    interval_ns: int
    total: int
    latencies_ns: list[int] = field(default_factory=list)
    errors: int = 0
    idle: list[Connection] = field(default_factory=list)
    busy: dict[int, Connection] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    poll: select.epoll = field(default_factory=select.epoll)

    def run(self) -> None:
        """Send everything, and wait for every answer (at most `DRAIN_TIMEOUT_S` after the last was due)."""
        start_ns = time.monotonic_ns() + START_DELAY_NS
        timer = metronome(start_ns, self.interval_ns)
        self.poll.register(timer, select.EPOLLIN)
        due = count(start_ns, self.interval_ns)
        for _ in range(CONNECTIONS_AT_START):
            self._connect()
        end_ns = start_ns + self.total * self.interval_ns + int(DRAIN_TIMEOUT_S * 1e9)
        sent = 0
        while (sent < self.total or self.busy or self.waiting) and time.monotonic_ns() < end_ns:
            for descriptor, _ in self.poll.poll(1.0):
                if descriptor == timer:
                    ticks = min(int.from_bytes(os.read(timer, 8), sys.byteorder), self.total - sent)
                    sent += ticks
                    self.waiting.extend(next(due) for _ in range(ticks))
                else:
                    self._receive(descriptor)
            self._send_waiting()
        self.errors += len(self.busy) + len(self.waiting)
        os.close(timer)

    def figures(self) -> dict[str, float]:
        """What was measured; times in milliseconds."""
        ordered = sorted(self.latencies_ns)

        def quantile(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else 0.0

        return {
            "requests": len(ordered),
            "errors": self.errors,
            "p50_ms": quantile(0.50),
            "p99_ms": quantile(0.99),
            "p999_ms": quantile(0.999),
            "connections": len(self.idle) + len(self.busy),
        }

    def _send_waiting(self) -> None:
        while self.waiting:
            if not self.idle:
                if len(self.busy) >= CONNECTIONS_MAX:
                    return
                self._connect()
            connection = self.idle.pop()
            connection.due_ns = self.waiting.popleft()
            connection.received = b""
            self.busy[connection.socket.fileno()] = connection
            try:
                connection.socket.sendall(self.request)
            except OSError:
                self._fail(connection)

    def _connect(self) -> None:
        fresh = Connection(self.address)
        self.poll.register(fresh.socket.fileno(), select.EPOLLIN)
        self.idle.append(fresh)

    def _receive(self, descriptor: int) -> None:
        connection = self.busy.get(descriptor)
        if connection is None:
            self._drop_idle(descriptor)
            return
        try:
            if not connection.whole_reply():
                return
        except OSError:
            self._fail(connection)
            return
        self.latencies_ns.append(time.monotonic_ns() - connection.due_ns)
        self.errors += not connection.received.startswith(b"HTTP/1.1 200")
        del self.busy[descriptor]
        self.idle.append(connection)

    def _fail(self, connection: Connection) -> None:
        self.errors += 1
        del self.busy[connection.socket.fileno()]
        self._close(connection)

    def _drop_idle(self, descriptor: int) -> None:
        """The target closed a connection that carried nothing."""
        for connection in self.idle:
            if connection.socket.fileno() == descriptor:
                self.idle.remove(connection)
                self._close(connection)
                return

    def _close(self, connection: Connection) -> None:
        self.poll.unregister(connection.socket.fileno())
        connection.socket.close()


def main() -> None:
    """The body comes on standard input, the figures go to standard output as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--header", action="append", default=[], help="name: value")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--total", type=int, required=True, help="requests in all")
    given = parser.parse_args()
    body = sys.stdin.buffer.read()
    lines = [f"POST {given.path} HTTP/1.1", f"host: {given.host}:{given.port}", f"content-length: {len(body)}"]
    request = "\r\n".join([*lines, *given.header, "", ""]).encode() + body
    load = Load((given.host, given.port), request, int(1e9 / given.rate), given.total)
    load.run()
    json.dump(load.figures(), sys.stdout)


if __name__ == "__main__":
    main()
