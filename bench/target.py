"""What a target is: something that answers the same chat request, started on a core and asked in its own way."""

import socket
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from bench.ask import Shape, ask
from bench.processes import Children, memory_mb, tree, wait_until

UPSTREAM_KEY = "sk-upstream"
UPSTREAM_MODEL = "gpt-4o-mini"


def shape(port: int, *, key: str = UPSTREAM_KEY, model: str = UPSTREAM_MODEL, **headers: str) -> Shape:
    """The usual shape: a bearer key and the OpenAI path on loopback; header names are written with underscores."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Shape(
        url=f"http://127.0.0.1:{port}/v1/chat/completions",
        headers={"content-type": "application/json", "authorization": f"Bearer {key}"} | given,
        model=model,
    )


@dataclass(frozen=True)
class Stage:
    """Where a target is started.

    Attributes:
        children: starts programs.
        scratch: a directory of this target alone.
        upstream_port: where the stand-in upstream listens.
        core: the gateway's core.
        postgres_core: the core of what Tollway keeps beside its worker: supervisor, PostgreSQL, drain.
    """

    children: Children
    scratch: Path
    upstream_port: int
    core: int
    postgres_core: int

    @property
    def upstream_url(self) -> str:
        """The OpenAI base URL of the upstream."""
        return f"http://127.0.0.1:{self.upstream_port}/v1"


class NotInstalledError(RuntimeError):
    """The target cannot run here; the message says why."""


class Target(ABC):
    """One row of the table."""

    name: str
    what: str
    """What is on, in a few words."""
    child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def install(self, cache: Path) -> str:
        """Make the target available, and return its version.

        Raises:
            NotInstalledError: it cannot be had here.
        """

    @abstractmethod
    def start(self, stage: Stage) -> Shape:
        """Start it, wait until it answers the benchmark's request, and say how it is asked.

        Raises:
            NotReadyError: it ended, or did not answer in time.
        """

    def worker_pids(self) -> list[int]:
        """The processes that carry requests."""
        return tree(self.child.pid) if self.child else []

    def memory_mb(self) -> float | None:
        """Memory of the worker, ``None`` where there is none."""
        pids = self.worker_pids()
        return memory_mb(pids) if pids else None


def await_answer(shape: Shape, child: subprocess.Popen[bytes], *, timeout_s: float = 30.0) -> None:
    """Wait until the target answers the request with 200.

    Raises:
        NotReadyError: the program ended first, or the time is over.
    """
    wait_until(lambda: ask(shape).status == HTTPStatus.OK, timeout_s=timeout_s, child=child)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
