"""``python -m bench.quotas``: what do four budgets and three rate limits cost a request?

One Tollway, one worker, two projects: every request of the first is held against four budgets and three rate limits,
one of them by the second, so that leases are refilled all the time; the second has none. Their rounds alternate, so
that a noisy minute hits both. None of the quotas is ever reached.
"""

import json
import statistics
import sys
from dataclasses import replace

from bench.ask import Shape, ask
from bench.load import Load, closed_loop, open_loop
from bench.machine import describe
from bench.processes import cpu_s
from bench.scene import Scene, scene
from bench.target import UPSTREAM_MODEL
from bench.targets.tollway import PROVIDER, Tollway

ROUNDS = 5
ROUND_S = 5
CONNECTIONS = 64
FIXED_S = 15
FIXED_SHARE = 0.4
"""Of the throughput without quotas: latency is compared where neither queues."""
AMPLE_USD = "1000000"
AMPLE_COUNT = "100000000"

_BUDGETS = (
    ("--window", "day"),
    ("--window", "month", "--key", "quotas"),
    ("--window", "week", "--model", f"{PROVIDER}/{UPSTREAM_MODEL}"),
    ("--window", "total", "--provider", PROVIDER),
)
_LIMITS = (
    (
        "--key",
        "quotas",
        "--requests-per-second",
        AMPLE_COUNT,
        "--tokens-per-minute",
        AMPLE_COUNT,
        "--parallel",
        "10000",
    ),
)


def main() -> int:
    """Measure and print."""
    print(describe().sentence, end="\n\n")
    with scene(Tollway()) as on:
        with_quotas, without = _projects(on)
        ask(with_quotas), ask(without)
        rounds: dict[bool, list[tuple[Load, float]]] = {True: [], False: []}
        for _ in range(ROUNDS + 1):
            for has_quotas in (True, False):
                rounds[has_quotas].append(_throughput(on, with_quotas if has_quotas else without))
        held, free = (rounds[each][1:] for each in (True, False))  # the first of each was for warming up
        per_s = [statistics.median(load.per_s for load, _ in each) for each in (held, free)]
        cpu_us = [statistics.median(cpu for _, cpu in each) for each in (held, free)]
        rate = per_s[1] * FIXED_SHARE
        fixed = [open_loop(shape, rate_per_s=rate, total=int(rate * FIXED_S)) for shape in (with_quotas, without) * 2]
        best = [min(fixed[index::2], key=lambda load: load.p999_ms) for index in (0, 1)]
        errors = sum(load.errors for load, _ in held + free) + sum(load.errors for load in fixed)
    print("| | requests/s | CPU µs a request | p50 / p99 / p99.9 ms at a fixed rate |", "|---|---|---|---|", sep="\n")
    for name, speed, cpu, load in zip(("4 budgets, 3 limits", "none"), per_s, cpu_us, best, strict=True):
        times = f"{load.p50_ms:.2f} / {load.p99_ms:.2f} / {load.p999_ms:.2f} at {load.per_s:,.0f}/s"
        print(f"| {name} | {speed:,.0f} | {cpu:.0f} | {times} |")
    print(f"\nThroughput with quotas is {per_s[0] / per_s[1]:.2f} x that without (goal: 0.9). Failed: {errors}.")
    return 0


def _projects(on: Scene[Tollway]) -> tuple[Shape, Shape]:
    """How the project with quotas and the one without are asked."""
    shapes = []
    for name in ("quotas", "plain"):
        on.target.run_command("projects", "create", name)
        made = on.target.run_command("keys", "create", "--project", name, "--name", name, "--json")
        headers = dict(on.shape.headers) | {"authorization": f"Bearer {json.loads(made)['key']}"}
        shapes.append(replace(on.shape, headers=headers))
    for budget in _BUDGETS:
        on.target.run_command(
            "budgets", "set", "--project", "quotas", *budget, "--limit-usd", AMPLE_USD, "--mode", "hard"
        )
    for limit in _LIMITS:
        on.target.run_command("limits", "set", "--project", "quotas", *limit)
    return shapes[0], shapes[1]


def _throughput(on: Scene[Tollway], shape: Shape) -> tuple[Load, float]:
    """One round, and the worker's CPU microseconds a request."""
    before_s = cpu_s(on.target.worker_pids())
    load = closed_loop(shape, on.scratch, connections=CONNECTIONS, seconds=ROUND_S)
    used_s = cpu_s(on.target.worker_pids()) - before_s
    return load, used_s * 1e6 / max(load.requests, 1)


if __name__ == "__main__":
    sys.exit(main())
