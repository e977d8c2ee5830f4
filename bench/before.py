"""``python -m bench.before SOURCE``: is the hot path as fast as in another version?

`SOURCE` is the ``src`` folder of another checkout. Both versions run at the same time, one worker each on the same
core, and are asked in turn, so that a noisy minute hits both.
"""

import os
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

from bench.ask import Shape, ask
from bench.load import closed_loop
from bench.machine import describe
from bench.processes import cpu_s
from bench.scene import Scene, scene
from bench.targets.tollway import Tollway

ROUNDS = 8
ROUND_S = 4
CONNECTIONS = 64


def main() -> int:
    """Measure and print."""
    source = Path(sys.argv[1]).resolve()
    print(describe().sentence, end="\n\n")
    with ExitStack() as scenes:
        now = scenes.enter_context(scene(Tollway()))
        os.environ["PYTHONPATH"] = str(source)
        then = scenes.enter_context(scene(Tollway()))
        del os.environ["PYTHONPATH"]
        rounds: list[list[tuple[float, float]]] = [[], []]
        for _ in range(ROUNDS + 1):
            for index, on in enumerate((now, then)):
                rounds[index].append(_round(on, on.shape))
    speeds = [statistics.median(speed for speed, _ in each[1:]) for each in rounds]
    costs = [statistics.median(cost for _, cost in each[1:]) for each in rounds]
    print("| version | requests/s | CPU µs a request |", "|---|---|---|", sep="\n")
    for name, speed, cost in zip(("this one", str(source)), speeds, costs, strict=True):
        print(f"| {name} | {speed:,.0f} | {cost:.0f} |")
    print(f"\nThroughput is {speeds[0] / speeds[1]:.3f} x, CPU a request {costs[0] / costs[1]:.3f} x (goal: 0.98).")
    return 0


def _round(on: Scene[Tollway], shape: Shape) -> tuple[float, float]:
    """Requests a second, and the worker's CPU microseconds a request."""
    ask(shape)
    before_s = cpu_s(on.target.worker_pids())
    load = closed_loop(shape, on.scratch, connections=CONNECTIONS, seconds=ROUND_S)
    return load.per_s, (cpu_s(on.target.worker_pids()) - before_s) * 1e6 / max(load.requests, 1)


if __name__ == "__main__":
    sys.exit(main())
