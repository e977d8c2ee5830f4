"""The run: start everything, go round the targets, hold the ledger against the upstream."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.ask import Shape, ask, get
from bench.figures import Figures, LedgerCheck
from bench.load import Load, closed_loop, open_loop
from bench.plan import Plan
from bench.processes import Children, NotReadyError, cpu_s, wait_until
from bench.target import NotInstalledError, Stage, Target
from bench.targets.direct import Direct
from bench.targets.tollway import Ledger, Tollway
from bench.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, REPLY_TEXT

UPSTREAM_CORE = 0
SETTLE_S = 0.3
"""Lets the last cut-off requests of a round reach the upstream before it is asked for its counts."""
DRAIN_STALL_S = 10.0
"""A ledger that has not grown for so long will not grow any more."""
DRAIN_POLL_S = 0.5
MEMORY_STEPS = 10
FIXED_RATE_MAX_PER_S = 8_000.0
"""Beyond this the generator and the upstream, which share a core, become the queue that is measured."""


def say(line: str) -> None:
    """Progress goes to standard error; the table has standard output for itself."""
    print(line, file=sys.stderr, flush=True)


@dataclass
class Runner:
    """One target that is up."""

    target: Target
    shape: Shape
    scratch: Path
    figures: Figures


class Session:
    """A run over some targets. The upstream and the load have core 0, the one gateway that is asked has its own."""

    def __init__(self, plan: Plan, children: Children, cache: Path, *, core: int, postgres_core: int) -> None:
        self.plan = plan
        self.children = children
        self.cache = cache
        self.core = core
        self.postgres_core = postgres_core
        self.runners: list[Runner] = []

    def run(self, kinds: list[type[Target]]) -> list[Figures]:
        """Everything; a target that cannot be had is in the result with the reason."""
        self._start_upstream()
        all_figures = [self._start(kind()) for kind in kinds]
        self._go_round("warm-up", 1, self._warm_up)
        self._go_round("throughput", self.plan.throughput_rounds, self._throughput)
        self._go_round("one connection", self.plan.single_rounds, self._single)
        self._go_round("fixed rate", 1, self._fixed_rate)
        self._go_round("streams", self.plan.stream_rounds, self._streams)
        if self.plan.memory_requests:
            self._go_round("long run", 1, self._long_run)
        self._go_round("memory and ledger", 1, self._finish)
        return all_figures

    def _go_round(self, part: str, rounds: int, measure: Callable[[str, Runner], None]) -> None:
        """Each target once, as many times as there are rounds; a target that breaks is left out from then on."""
        for turn in range(rounds):
            for runner in list(self.runners):
                try:
                    measure(f"{part} {turn + 1}/{rounds}" if rounds > 1 else part, runner)
                except NotReadyError as error:
                    runner.figures.absent = f"broke in {part}: {error}"
                    say(f"{runner.target.name}: {runner.figures.absent}\n{self._last_words(runner.target)}")
                    self.runners.remove(runner)

    def _start_upstream(self) -> None:
        script = str(Path(__file__).with_name("upstream.py"))
        command = [sys.executable, "-P", script, f"--events={self.plan.stream_events}"]
        child = self.children.start("upstream", UPSTREAM_CORE, command)
        log = self.children.log_of("upstream")
        wait_until(lambda: log.read_bytes().endswith(b"\n"), timeout_s=10.0, child=child)
        self.upstream_port = int(log.read_text())

    def _served(self) -> int:
        served: int = json.loads(get(f"http://127.0.0.1:{self.upstream_port}/count"))["requests"]
        return served

    def _start(self, target: Target) -> Figures:
        """Install, start and try a target."""
        figures = Figures(name=target.name, what=target.what, stream_events=self.plan.stream_events)
        scratch = self.children.scratch / target.name
        scratch.mkdir(mode=0o711)
        stage = Stage(self.children, scratch, self.upstream_port, self.core, self.postgres_core)
        served_before = self._served()
        try:
            figures.version = target.install(self.cache)
            say(f"{target.name} {figures.version}: starting")
            shape = target.start(stage)
            figures.streams_absent = self._try(shape)
        except (NotInstalledError, NotReadyError) as error:
            figures.absent = str(error)
            say(f"{target.name}: {error}\n{self._last_words(target)}")
            return figures
        figures.served = self._served() - served_before
        figures.memory_before_mb = target.memory_mb()
        self.runners.append(Runner(target, shape, scratch, figures))
        return figures

    def _try(self, shape: Shape) -> str:
        """A target is measured only if its answer is the upstream's; returns what is wrong with its streams."""
        plain, stream = ask(shape), ask(shape, stream=True)
        if plain.text() != REPLY_TEXT:
            raise NotReadyError(f"its answer (status {plain.status}) is not the upstream's")
        whole = stream.events() >= self.plan.stream_events
        return "" if whole else f"fails (status {stream.status}, {stream.events()} events)"

    def _last_words(self, target: Target) -> str:
        log = self.children.log_of(target.name)
        return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""

    def _round(self, runner: Runner, part: str, *, connections: int, seconds: int, stream: bool = False) -> Load:
        """One round of closed-loop load on one target."""
        served_before = self._served()
        load = closed_loop(runner.shape, runner.scratch, connections=connections, seconds=seconds, stream=stream)
        time.sleep(SETTLE_S)
        runner.figures.served += self._served() - served_before
        say(f"{part:<22}{runner.target.name:<9}{load.per_s:>9,.0f}/s  p50 {load.p50_ms:.3f} ms  errors {load.errors}")
        return load

    def _warm_up(self, part: str, runner: Runner) -> None:
        self._round(runner, part, connections=self.plan.connections, seconds=self.plan.warm_up_s)
        self._settle(runner)

    def _throughput(self, part: str, runner: Runner) -> None:
        cpu_before_s = cpu_s(runner.target.worker_pids())
        load = self._round(runner, part, connections=self.plan.connections, seconds=self.plan.throughput_s)
        runner.figures.throughput.append(load)
        used_s = cpu_s(runner.target.worker_pids()) - cpu_before_s
        runner.figures.cpu_us_per_request.append(used_s * 1e6 / max(load.requests, 1))
        self._settle(runner)

    def _single(self, part: str, runner: Runner) -> None:
        runner.figures.single.append(self._round(runner, part, connections=1, seconds=self.plan.single_s))
        self._settle(runner)

    def _streams(self, part: str, runner: Runner) -> None:
        if runner.figures.streams_absent:
            return
        connections, seconds = self.plan.stream_connections, self.plan.stream_s
        runner.figures.streams.append(self._round(runner, part, connections=connections, seconds=seconds, stream=True))
        self._settle(runner)

    def _fixed_rate(self, part: str, runner: Runner) -> None:
        """A target at half of its own maximum, and the upstream itself at the same rate just before."""
        if isinstance(runner.target, Direct):
            self.direct_shape = runner.shape
            return
        rate = min(runner.figures.per_s / 2, FIXED_RATE_MAX_PER_S)
        total = max(1, int(rate * self.plan.fixed_rate_s))
        runner.figures.fixed_direct = open_loop(self.direct_shape, rate_per_s=rate, total=total)
        before, served_before = self._settle(runner), self._served()
        load = open_loop(runner.shape, rate_per_s=rate, total=total)
        runner.figures.fixed = load
        served = self._served() - served_before
        runner.figures.served += served
        say(f"{part:<22}{runner.target.name:<9}{rate:>9,.0f}/s  p50 {load.p50_ms:.3f} ms  errors {load.errors}")
        after = self._settle(runner)
        if before and after:
            runner.figures.ledger = _counted(before, after, served)

    def _settle(self, runner: Runner) -> Ledger | None:
        """Wait until every request served is in the ledger, so that no round pays for the one before it."""
        if not isinstance(runner.target, Tollway):
            return None
        last, changed_at = runner.target.ledger(), time.monotonic()
        while last.entries < runner.figures.served and time.monotonic() < changed_at + DRAIN_STALL_S:
            time.sleep(DRAIN_POLL_S)
            now = runner.target.ledger()
            if now != last:
                last, changed_at = now, time.monotonic()
        return last

    def _long_run(self, part: str, runner: Runner) -> None:
        """Many requests in a row through Tollway, its memory after each tenth."""
        if not isinstance(runner.target, Tollway):
            return
        figures, done = runner.figures, 0
        seconds = max(1, round(self.plan.memory_requests / MEMORY_STEPS / max(figures.per_s, 1.0)))
        while done < self.plan.memory_requests:
            done += self._round(runner, part, connections=self.plan.connections, seconds=seconds).requests
            figures.memory_by_requests[done] = runner.target.memory_mb() or 0.0

    def _finish(self, part: str, runner: Runner) -> None:  # noqa: ARG002 - it says nothing of its own
        """The worker's memory after all load; and the whole run's ledger."""
        runner.figures.memory_after_mb = runner.target.memory_mb()
        if not isinstance(runner.target, Tollway):
            return
        started = time.monotonic()
        self._settle(runner)
        check = runner.figures.ledger or LedgerCheck()
        check.drain_wait_s = time.monotonic() - started
        check.entries = runner.target.ledger().entries
        check.served = runner.figures.served
        runner.figures.ledger = check


def _counted(before: Ledger, after: Ledger, served: int) -> LedgerCheck:
    return LedgerCheck(
        counted_requests=served,
        counted_entries=after.entries - before.entries,
        counted_input_tokens=after.input_tokens - before.input_tokens,
        counted_output_tokens=after.output_tokens - before.output_tokens,
        expected_input_tokens=served * PROMPT_TOKENS,
        expected_output_tokens=served * COMPLETION_TOKENS,
    )
