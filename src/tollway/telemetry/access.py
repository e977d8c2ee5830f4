"""The access log: one line for each request, written in batches so that no request pays for it."""

import sys
import time
from contextlib import suppress

import msgspec

from tollway.ledger.entry import LedgerEntry
from tollway.ledger.money import usd_text

_BUFFER_MAX_LINES = 1_000


class _Line(msgspec.Struct, omit_defaults=True):
    timestamp: str
    event: str
    request_id: str
    surface: str
    status: int
    level: str
    code: str = ""
    organization_id: str = ""
    project_id: str = ""
    key_id: str = ""
    provider: str = ""
    model: str = ""
    outcome: str = ""
    stream: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    usage: str = ""
    charge_usd: str = ""
    duration_ms: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0


_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Collects lines; the worker has them written to standard error a few times a second.

    Written by a worker's event loop only. The ledger is the record, not this log: a killed worker loses its last lines.
    """

    def __init__(self, *, enabled: bool, pretty: bool) -> None:
        self._enabled = enabled
        self._pretty = pretty
        self._clock = _Clock()
        self._lines: list[bytes] = []

    def ended(self, entry: LedgerEntry) -> None:
        """Log an admitted request."""
        if not self._enabled:
            return
        usage = entry.usage
        line = _Line(
            self._clock.now(),
            "request",
            entry.request_id,
            entry.surface,
            entry.status,
            "info",
            entry.error,
            entry.organization_id,
            entry.project_id,
            entry.key_id,
            entry.provider,
            entry.model_sent,
            entry.outcome,
            entry.stream,
            usage.input_total,
            usage.output_total,
            entry.usage_source,
            usd_text(entry.charge),
            entry.duration_us / 1_000,
            entry.request_bytes,
            entry.response_bytes,
        )
        self._add(line)

    def refused(self, surface: str, request_id: str, status: int, code: str) -> None:
        """Log a request that was refused before it was admitted."""
        if self._enabled:
            level = "info" if status < 500 else "error"  # noqa: PLR2004 -- HTTP's own boundary
            self._add(_Line(self._clock.now(), "refused", request_id, surface, status, level=level, code=code))

    def replayed(self, surface: str, request_id: str, status: int) -> None:
        """Log a request that got the answer of an earlier one."""
        if self._enabled:
            self._add(_Line(self._clock.now(), "replayed", request_id, surface, status, "info"))

    def visited(self, surface: str, request_id: str, status: int) -> None:
        """Log a request that asked no model."""
        if self._enabled:
            self._add(_Line(self._clock.now(), "visited", request_id, surface, status, "info"))

    def flush(self) -> None:
        """Write what is collected."""
        if self._lines:
            lines, self._lines = self._lines, []
            with suppress(OSError):  # a log on a full disk, or that nobody reads any more, must stop no request
                sys.stderr.buffer.write(b"".join(lines))
                sys.stderr.buffer.flush()

    def _add(self, line: _Line) -> None:
        self._lines.append(_pretty(line) if self._pretty else _encode(line) + b"\n")
        if len(self._lines) >= _BUFFER_MAX_LINES:
            self.flush()


class _Clock:
    """The time as text. The part down to the second is made once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def now(self) -> str:
        milliseconds = time.time_ns() // 1_000_000
        second = milliseconds // 1_000
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{milliseconds % 1_000:03d}Z"


def _pretty(line: _Line) -> bytes:
    what = f"{line.provider}/{line.model}" if line.provider else line.code
    money = f" {line.input_tokens}+{line.output_tokens} tokens ${line.charge_usd}" if line.charge_usd else ""
    text = f"{line.timestamp[11:23]} {line.status} {line.surface} {what}{money} {line.duration_ms:.0f} ms"
    if not text.isprintable():  # callers name models, and must not drive the reader's terminal
        text = "".join(char if char.isprintable() else "?" for char in text)
    return f"{text} {line.request_id}\n".encode(errors="replace")
