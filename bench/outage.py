"""``python -m bench.outage``: what do known callers notice when the database is away for a minute?

Tollway serves 500 requests/s for 70 s; after 10 s its PostgreSQL is stopped in its tracks (SIGSTOP: connections stay
open, nothing answers) for the other 60 s. Told: callers that failed, entries that are missing at the end, and how
long the journal took to land. Twice: without budgets, and with a hard budget that is leased by then.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterable

import psutil

from bench.load import Load, open_loop
from bench.machine import describe
from bench.processes import command_line, tree
from bench.scene import Scene, scene, wait_landed
from bench.targets.tollway import Tollway

RATE_PER_S = 500
LOAD_S = 70
STOP_AFTER_S = 10.0
AWAY_S = 60.0
WORKERS = 2
AMPLE_USD = "1000"


class TwoWorkers(Tollway):
    """As in service: more than one worker."""

    workers = WORKERS


def main() -> int:
    """Measure and print."""
    print(describe().sentence, end="\n\n")
    print("| budget | requests | failed | p50 / p99 ms | entries missing | landed after |", "|---" * 6 + "|", sep="\n")
    for has_budget in (False, True):
        with scene(TwoWorkers()) as on:
            if has_budget:
                on.target.run_command(
                    "budgets", "set", "--project", "default", "--window", "day", "--limit-usd", AMPLE_USD
                )
            before = on.served()  # the requests that tried it out
            wait_landed(on.target, before)
            load = _load_with_outage(on)
            expected = before + load.requests - load.errors  # what was refused has no entry
            wait_s = wait_landed(on.target, expected)
            missing = expected - on.target.ledger().entries
        name = "hard, of a day" if has_budget else "none"
        times = f"{load.p50_ms:.1f} / {load.p99_ms:.1f}"
        print(f"| {name} | {load.requests:,} | {load.errors} | {times} | {missing} | {wait_s:.1f} s |", flush=True)
    return 0


def _load_with_outage(on: Scene[TwoWorkers]) -> Load:
    outage = threading.Thread(target=_outage, args=(on,))
    outage.start()
    load = open_loop(on.shape, rate_per_s=RATE_PER_S, total=RATE_PER_S * LOAD_S)
    outage.join()
    return load


def _outage(on: Scene[TwoWorkers]) -> None:
    time.sleep(STOP_AFTER_S)
    processes = list(_postgres(on))
    for number, pause_s in ((signal.SIGSTOP, AWAY_S), (signal.SIGCONT, 0)):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # one that served a single connection
                process.send_signal(number)
        time.sleep(pause_s)


def _postgres(on: Scene[TwoWorkers]) -> Iterable[psutil.Process]:
    """The server and its connections' processes: all of PostgreSQL's tree."""
    pids = tree(on.target.child.pid) if on.target.child else []
    return [psutil.Process(pid) for pid in pids if "postgres" in command_line(pid)[0]]


if __name__ == "__main__":
    sys.exit(main())
