"""A short run of the chaos suite. `make chaos` has longer ones: docs/developer/chaos.md."""

import asyncio
import os
import random

import pytest

from chaos.run import run
from chaos.schedule import plan
from chaos.small_disk import can_mount

SEED = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(100_000)))
"""Printed with a failure; `CHAOS_SEED` repeats the faults of one run."""
FAULTS_S = 6.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_seconds_of_faults_at_random_break_no_promise() -> None:
    with_small_disk = can_mount()
    decided = plan(SEED, faults_s=FAULTS_S, small_disk=with_small_disk)
    print(decided)
    report = asyncio.run(run(decided, with_small_disk=with_small_disk))
    print(*report.notes, sep="\n")
    assert report.broken == [], f"CHAOS_SEED={SEED}, logs: {report.folder}"
