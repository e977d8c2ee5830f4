"""Both kinds of load, each run as a program on the load's core."""

import json
import os
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from bench.ask import Shape
from bench.processes import pinned

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
        p50_ms, p99_ms: latency. Closed loop: from a request's send to its last byte. Open loop: from when it was due.
        errors: replies that were not 200, and connections that broke or timed out.
    """

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def closed_loop(shape: Shape, scratch: Path, *, connections: int, seconds: int, stream: bool = False) -> Load:
    """Wrk: every connection asks again as soon as it has its answer.

    Raises:
        subprocess.CalledProcessError: wrk failed.
    """
    body_file = scratch / "wrk_body.json"
    body_file.write_bytes(shape.body(stream=stream))
    headers = "\n".join(f"{name}: {value}" for name, value in shape.headers.items())
    options = ("-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={REPLY_TIMEOUT_S}s", "-s", str(WRK_SCRIPT))
    done = subprocess.run(
        pinned(LOAD_CORE, "wrk", *options, shape.url),
        env=os.environ | {"BENCH_BODY_FILE": str(body_file), "BENCH_HEADERS": headers},
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return Load(
        requests=told["requests"],
        per_s=told["requests"] / (told["duration_us"] / 1e6),
        p50_ms=told["p50_us"] / 1e3,
        p99_ms=told["p99_us"] / 1e3,
        errors=told["refused"] + told["broken"],
    )


def open_loop(shape: Shape, *, rate_per_s: float, total: int) -> Load:
    """Our own generator: requests leave at a fixed rate, latency counts from when each was due.

    Raises:
        subprocess.CalledProcessError: the generator failed.
    """
    target = urllib.parse.urlsplit(shape.url)
    headers = [f"--header={name}: {value}" for name, value in shape.headers.items()]
    options = [f"--rate={rate_per_s}", f"--total={total}", *headers]
    done = subprocess.run(
        pinned(
            LOAD_CORE,
            sys.executable,
            "-P",
            str(OPEN_LOOP),
            target.hostname or "",
            str(target.port),
            target.path,
            *options,
        ),
        input=shape.body(stream=False),
        check=True,
        capture_output=True,
    )
    told = json.loads(done.stdout)
    return Load(
        requests=told["requests"],
        per_s=rate_per_s,
        p50_ms=told["p50_ms"],
        p99_ms=told["p99_ms"],
        errors=told["errors"],
    )
