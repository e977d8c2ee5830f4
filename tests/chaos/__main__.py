"""``python -m chaos``: seeds one after the other, each a run of its own."""

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import Coroutine

import structlog
import uvloop

from chaos.run import Report, run
from chaos.schedule import plan
from chaos.small_disk import can_mount


def main() -> None:
    """Run the seeds that are asked for; exit with 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100_000), help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many; each is one more than the last")
    parser.add_argument("--seconds", type=float, default=18.0, help="seconds of faults in each run")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the servers' own logs
    with_small_disk = can_mount()
    if not with_small_disk:
        print("This user may not mount a file system: the journal's disk is not filled.")
    reports = [_run(seed, given.seconds, with_small_disk) for seed in range(given.seed, given.seed + given.seeds)]
    failed = [report.plan.seed for report in reports if report.broken]
    print(f"{len(reports) - len(failed)} of {len(reports)} seeds passed" + (f"; failed: {failed}" if failed else ""))
    sys.exit(1 if failed else 0)


def _run(seed: int, seconds: float, with_small_disk: bool) -> Report:  # noqa: FBT001
    decided = plan(seed, faults_s=seconds, small_disk=with_small_disk)
    print(decided, flush=True)
    began_s = time.monotonic()
    report = uvloop.run(_stoppable(run(decided, with_small_disk=with_small_disk)))
    print(f"seed {seed}: {'FAILED' if report.broken else 'passed'} after {time.monotonic() - began_s:.0f} s")
    for line in (*report.notes, *report.broken):
        print(f"  {line}")
    if report.broken:
        print(f"  logs: {report.folder}; again: make chaos SEED={seed} SECONDS={seconds:g}", flush=True)
    return report


async def _stoppable(running: Coroutine[None, None, Report]) -> Report:
    """Who is told to stop stops what it started, and unmounts the disk."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    main()
