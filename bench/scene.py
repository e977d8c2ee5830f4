"""A provider and one gateway before it, for the short benchmarks that ask one question each."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Generic, TypeVar

from bench.ask import Shape, get
from bench.install import default_cache
from bench.processes import Children, stop, wait_until
from bench.target import Stage, Target
from bench.targets.tollway import Tollway
from bench.upstream import COMPLETION_TOKENS, PROMPT_TOKENS

UPSTREAM_CORE = 0
GATEWAY_CORE = 1
LANDING_TIMEOUT_S = 120.0
_POLL_S = 0.2

AnyTarget = TypeVar("AnyTarget", bound=Target)


@dataclass(frozen=True)
class Scene(Generic[AnyTarget]):
    """What runs.

    Attributes:
        target: the gateway.
        shape: how it is asked.
        children: all processes.
        upstream_port: where the provider listens.
    """

    target: AnyTarget
    shape: Shape
    children: Children
    upstream_port: int

    @property
    def scratch(self) -> Path:
        """A folder of this run."""
        return self.children.scratch

    def served(self) -> int:
        """Requests that the provider has read whole."""
        served: int = json.loads(get(f"http://127.0.0.1:{self.upstream_port}/count"))["requests"]
        return served

    def last_words(self) -> str:
        """The end of the gateway's logs."""
        return last_words(self.children, self.target.name)


@contextmanager
def scene(
    target: AnyTarget, *, delay_ms: float = 0.0, events: int = 200, pace_ms: float = 0.0
) -> Iterator[Scene[AnyTarget]]:
    """Start the provider and the gateway; leaving the block ends both.

    Args:
        target: not started yet.
        delay_ms: what the provider takes to answer, ± half of it.
        events: how many of them a stream has.
        pace_ms: the time between them.

    Raises:
        NotInstalledError, NotReadyError: it cannot be had, or does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="tollway-bench-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL, started by root, runs as somebody else and must reach its directory
        with Children(Path(folder)) as children:
            options = (f"--delay-ms={delay_ms}", f"--events={events}", f"--pace-ms={pace_ms}")
            upstream_port = _start_upstream(children, options)
            scratch = children.scratch / target.name
            scratch.mkdir(mode=0o711)
            target.install(default_cache())
            shape = target.start(Stage(children, scratch, upstream_port, GATEWAY_CORE, UPSTREAM_CORE))
            yield Scene(target, shape, children, upstream_port)
            for child in children.running:
                stop(child)


def wait_landed(target: Tollway, requests: int) -> float:
    """Wait until so many entries are in the ledger; the seconds that took.

    Raises:
        TimeoutError: they did not all come; the message says how many did.
    """
    started = time.monotonic()
    while (entries := _landed(target)) < requests:
        if time.monotonic() > started + LANDING_TIMEOUT_S:
            message = f"only {entries:,} of {requests:,} entries came within {LANDING_TIMEOUT_S:g} s"
            raise TimeoutError(message)
        time.sleep(_POLL_S)
    return time.monotonic() - started


def _landed(target: Tollway) -> int:
    """How many entries are in the ledger; none while its database is not there."""
    try:
        return target.ledger().entries
    except HTTPException:
        return 0


def usd_per_request(input_usd_per_million: str, output_usd_per_million: str) -> float:
    """What the provider's count of one request costs."""
    cost = PROMPT_TOKENS * float(input_usd_per_million) + COMPLETION_TOKENS * float(output_usd_per_million)
    return cost / 1_000_000


def last_words(children: Children, name: str) -> str:
    """The end of the logs of a program and of its helpers."""
    logs = sorted(children.scratch.glob(f"{name}*.log"))
    return "\n".join(line for log in logs for line in log.read_text(errors="replace").splitlines()[-20:])


def _start_upstream(children: Children, options: Sequence[str]) -> int:
    script = str(Path(__file__).with_name("upstream.py"))
    child = children.start("upstream", UPSTREAM_CORE, [sys.executable, "-P", script, *options])
    log = children.log_of("upstream")
    wait_until(lambda: log.read_bytes().endswith(b"\n"), timeout_s=10.0, child=child)
    return int(log.read_text())
