"""Both kinds of load, each run as a program on the load's core."""

import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.ask import Shape
from bench.processes import NotReadyError, pinned

LOAD_CORE = 0
WRK_SCRIPT = Path(__file__).with_name("chat.lua")
OPEN_LOOP = Path(__file__).with_name("openloop.py")
REPLY_TIMEOUT_S = 30


@dataclass(frozen=True)
class Load:
    """What one run of load saw.

    Attributes:
        requests: replies that came whole.
        per_s: replies a second.
        p50_ms, p99_ms, p999_ms: latency; the last of open loops only. Closed loop: from a request's send to its last
            byte. Open loop: from when it was due.
        errors: replies that were not 200, and connections that broke or timed out.
    """

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    p999_ms: float = 0.0


def closed_loop(shape: Shape, scratch: Path, *, connections: int, seconds: int, stream: bool = False) -> Load:
    """Wrk: every connection asks again as soon as it has its answer.

    Raises:
        NotReadyError: wrk cannot reach the target.
    """
    body_file = scratch / "wrk_body.json"
    body_file.write_bytes(shape.body(stream=stream))
    headers = "\n".join(f"{name}: {value}" for name, value in shape.headers.items())
    options = ("-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={REPLY_TIMEOUT_S}s", "-s", str(WRK_SCRIPT))
    environment = {"BENCH_BODY_FILE": str(body_file), "BENCH_HEADERS": headers}
    told = _run(["wrk", *options, shape.url], environment=environment)
    return Load(
        requests=int(told["requests"]),
        per_s=told["requests"] / (told["duration_us"] / 1e6),
        p50_ms=told["p50_us"] / 1e3,
        p99_ms=told["p99_us"] / 1e3,
        errors=int(told["refused"] + told["broken"]),
    )


def open_loop(shape: Shape, *, rate_per_s: float, total: int) -> Load:
    """Our own generator: requests leave at a fixed rate, latency counts from when each was due.

    Raises:
        NotReadyError: the generator cannot reach the target.
    """
    target = urllib.parse.urlsplit(shape.url)
    headers = [f"--header={name}: {value}" for name, value in shape.headers.items()]
    options = [f"--rate={rate_per_s}", f"--total={total}", *headers]
    generator = [sys.executable, "-P", str(OPEN_LOOP), target.hostname or "", str(target.port), target.path]
    told = _run([*generator, *options], body=shape.body(stream=False))
    return Load(
        requests=int(told["requests"]),
        per_s=rate_per_s,
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        errors=int(told["errors"]),
        p999_ms=told["p999_ms"],
    )


def _run(command: list[str], *, body: bytes = b"", environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """The figures in the last line of a load program's output."""
    done = subprocess.run(
        pinned(LOAD_CORE, *command),
        input=body,
        env=os.environ | dict(environment or {}),
        check=False,
        capture_output=True,
    )
    if done.returncode:
        raise NotReadyError((done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-1])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told
