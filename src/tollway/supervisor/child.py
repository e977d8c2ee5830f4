"""A supervised child process: started, watched, started again when it dies, stopped with a deadline."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from tollway.config import READY_FD_VARIABLE
from tollway.supervisor import launch
from tollway.supervisor.backoff import Backoff
from tollway.supervisor.errors import ChildFailedError

_log = structlog.get_logger(__name__)
_READY_POLL_S = 0.005
_LINES_KEPT = 20
_LINE_MAX_BYTES = 64 * 1024
_ANNOUNCEMENT_MAX_BYTES = 64 * 1024
"""What a pipe holds on Linux, so that a child which writes at once never waits for us."""


@dataclass(frozen=True)
class ProcessUser:
    """The user a child runs as."""

    user_id: int
    group_id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What to run and how to treat it.

    Attributes:
        name: for logs.
        command: absolute path of the program, then its arguments.
        environment: the child's whole environment; ``None`` for the supervisor's own.
        user: the user to become; ``None`` to stay.
        inherited_fds: file descriptors that stay open in the child.
        announces_ready: the child writes a line to the descriptor named in ``TOLLWAY_READY_FD``.
        is_ready: asked with the child's process id every few milliseconds until it says yes.
        before_start: runs before each start.
        on_line: takes each line of the child's output; ``None`` passes the output through.
        ready_timeout_s: after this a child that is not ready is killed and counts as dead.
        stop_signal, stop_timeout_s, kill_signal: how it is stopped; after the kill signal has had the same time again,
            SIGKILL.
        death_signal: what it gets when the supervisor dies.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    user: ProcessUser | None = None
    inherited_fds: tuple[int, ...] = ()
    announces_ready: bool = False
    is_ready: Callable[[int], bool] | None = None
    before_start: Callable[[], Awaitable[None]] | None = None
    on_line: Callable[[str], None] | None = None
    ready_timeout_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    kill_signal: signal.Signals = signal.SIGKILL
    death_signal: signal.Signals = signal.SIGTERM


class Child:
    """One child process over all its lives. `start` and `stop` are each called once, from one event loop.

    Attributes:
        starts: lives so far.
        ready: whether the present life is ready.
    """

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._asked: asyncio.subprocess.Process | None = None
        self._ready_fd: int | None = None
        self.ready = False
        self._stopping = asyncio.Event()
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._pump: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._log = _log.bind(child=spec.name)

    @property
    def pid(self) -> int | None:
        """The process id of the present life, if there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it, wait until it is ready, then keep it alive in the background.

        Raises:
            ChildFailedError: it died, or was not ready in time.
        """
        await self._spawn()
        if not await self._wait_ready():
            code = await self._end()
            words = "\n".join(self._lines)
            raise ChildFailedError(f"{self.spec.name} did not start ({_fate(code)}).\n{words}".strip())
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def run(self) -> tuple[int | None, bytes]:
        """Run it once, to its end.

        Returns:
            Its exit code (negative: the signal that ended it), and what it announced.
        """
        await self._spawn()
        try:
            if self._process:
                await self._process.wait()
            return await self.stop(), b"" if self._ready_fd is None else os.read(
                self._ready_fd, _ANNOUNCEMENT_MAX_BYTES
            )
        finally:
            await self.stop()
            if self._ready_fd is not None:
                os.close(self._ready_fd)

    def begin_stop(self) -> None:
        """Ask it to stop, and do not start it again. Does not wait."""
        self._stopping.set()
        if self._process and self._process is not self._asked:
            self._asked = self._process
            self._signal(self.spec.stop_signal)

    async def stop(self) -> int | None:
        """Stop it and wait for its end: first gently, then by force.

        Returns:
            Its exit code (negative: the signal that ended it); ``None`` if it was not running.
        """
        code = await self._end()
        if self._keeper:
            await self._keeper
            self._keeper = None
        return code

    async def _keep(self) -> None:
        backoff = Backoff()
        while self._process:
            code = await self._process.wait()
            was_ready, self.ready = self.ready, False
            if self._stopping.is_set():
                return
            delay_s = backoff.delay_s(was_ready=was_ready)
            self._log.warning("child_ended", fate=_fate(code), delay_s=round(delay_s, 2))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s or 0.001)
                return
            try:
                await self._spawn()
                if not await self._wait_ready():
                    self.begin_stop() if self._stopping.is_set() else self._signal(signal.SIGKILL)
            except OSError as error:
                self._log.error("child_not_started", reason=str(error))  # no defect of ours

    async def _spawn(self) -> None:
        spec = self.spec
        if spec.before_start:
            await spec.before_start()
        environment = dict(os.environ if spec.environment is None else spec.environment)
        descriptors = spec.inherited_fds
        user = (str(spec.user.user_id), str(spec.user.group_id)) if spec.user else ("-", "-")
        launcher = (sys.executable, "-I", "-S", str(Path(launch.__file__)), str(int(spec.death_signal)))
        read_fd, write_fd = os.pipe() if spec.announces_ready else (None, None)
        if write_fd is not None:
            descriptors = (*descriptors, write_fd)
            environment[READY_FD_VARIABLE] = str(write_fd)
        output = asyncio.subprocess.PIPE if spec.on_line else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *launcher,
                str(os.getpid()),
                *user,
                *spec.command,
                env=environment,
                pass_fds=descriptors,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT if spec.on_line else None,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops all in order
                limit=_LINE_MAX_BYTES,
            )
        finally:
            if write_fd is not None:
                os.close(write_fd)
        self.starts += 1
        self._ready_fd = read_fd
        if self._process.stdout:
            self._pump = asyncio.create_task(self._read_lines(self._process.stdout))

    async def _wait_ready(self) -> bool:
        """Whether the present life became ready before it ended, before its time was up and before we stop."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.spec.ready_timeout_s
        read_fd = self._ready_fd
        try:
            if read_fd is not None:
                os.set_blocking(read_fd, False)
            while self.pid is not None and loop.time() < give_up_at and not self._stopping.is_set():
                if self._is_ready(self.pid, read_fd):
                    self.ready = True
                    return True
                await asyncio.sleep(_READY_POLL_S)
            return False
        finally:
            if read_fd is not None:
                os.close(read_fd)

    def _is_ready(self, pid: int, read_fd: int | None) -> bool:
        if read_fd is not None:
            try:
                return bool(os.read(read_fd, 64))
            except BlockingIOError:
                return False
        return self.spec.is_ready is None or self.spec.is_ready(pid)

    async def _read_lines(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                raw = await stream.readline()
            except ValueError:  # longer than the limit: asyncio drops that part, the rest follows
                continue
            if not raw:
                return
            line = raw.decode(errors="replace").rstrip()
            self._lines.append(line)
            if self.spec.on_line:
                self.spec.on_line(line)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _end(self) -> int | None:
        """Wait for the end of the present life, with more and more force."""
        self.begin_stop()
        if self._process is None:
            return None
        for force in (self.spec.kill_signal, signal.SIGKILL):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._process.wait()), self.spec.stop_timeout_s)
                break
            self._log.warning("child_does_not_stop", signal=force.name)
            self._signal(force)
        code = await self._process.wait()
        if self._pump:
            await self._pump
        return code


def _fate(code: int | None) -> str:
    if code is None:
        return "was not running"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
