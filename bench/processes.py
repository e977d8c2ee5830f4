"""Child processes that are pinned to a core, die with us, and tell their memory."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_TIMEOUT_S = 15.0
POLL_INTERVAL_S = 0.1


class NotReadyError(RuntimeError):
    """A program ended or stayed silent when it should have answered."""


def pinned(core: int, *command: str) -> list[str]:
    """The command on one core, ended by the kernel should its parent die without a word."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "--cpu-list", str(core), *command]


class Children:
    """Every program that a run starts; leaving the block ends them, however it is left."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave anything behind
        for child in reversed(self.running):
            stop(child)

    def log_of(self, name: str) -> Path:
        """Where the named child's output goes."""
        return self.scratch / f"{name}.log"

    def start(
        self, name: str, core: int, command: Iterable[str], *, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program on a core, in its own process group, with its output in a file."""
        with self.log_of(name).open("wb") as log:
            child = subprocess.Popen(
                pinned(core, *command),
                env=clean_environment() | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.scratch,
                start_new_session=True,
            )
        self.running.append(child)
        return child


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ask the program to end, then end its whole group."""
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_TIMEOUT_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def clean_environment() -> dict[str, str]:
    """Our environment without what would change a gateway's behaviour: its settings, keys and proxies."""
    unwanted = ("TOLLWAY_", "LITELLM_", "OPENAI_", "PORTKEY_", "FERROGW_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(unwanted)}


def tree(pid: int) -> list[int]:
    """A process and all below it, itself first."""
    below = [child for task in _tasks(pid) for child in _children(task)]
    return [pid, *(found for child in below for found in tree(child))]


def _tasks(pid: int) -> list[Path]:
    folder = Path(f"/proc/{pid}/task")
    return list(folder.iterdir()) if folder.exists() else []


def _children(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_text().split()]
    except OSError:  # the thread has ended
        return []


def command_line(pid: int) -> list[str]:
    """The program and its arguments, empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def move_to_core(pid: int, core: int) -> None:
    """Pin every thread of a running process; threads made later inherit it."""
    for thread in _tasks(pid):
        os.sched_setaffinity(int(thread.name), {core})


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of a core that the processes have used so far, in user and system mode, all threads."""
    return sum(_cpu_ticks(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return int(user) + int(system)


def memory_mb(pids: Iterable[int]) -> float:
    """Proportional set size: memory that is shared by n processes counts a n-th for each. Megabytes (1e6 bytes)."""
    return sum(_pss_kib(pid) for pid in pids) * 1024 / 1e6


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def wait_until(ready: Callable[[], bool], *, timeout_s: float, child: subprocess.Popen[bytes]) -> None:
    """Poll until the child is ready.

    Raises:
        NotReadyError: the child ended first, or the time is over.
    """
    end = time.monotonic() + timeout_s
    while not ready():
        if child.poll() is not None:
            raise NotReadyError(f"the program ended with code {child.returncode}")
        if time.monotonic() > end:
            raise NotReadyError(f"did not answer within {timeout_s:g} s")
        time.sleep(POLL_INTERVAL_S)
