import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.waiting import wait_until
from tollway.supervisor import orphans
from tollway.supervisor.orphans import find_orphans, stop_orphans


@pytest.fixture
def database_dir(tmp_path: Path) -> Path:
    """A directory with the lock files of a server, beside a program that the kernel calls `postgres`."""
    program = tmp_path / "postgres"
    program.write_text('#!/bin/sh\ntrap "" $*\nwhile :; do sleep 0.02; done\n')
    program.chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postmaster.pid").write_text("1\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".s.PGSQL.5432.lock").write_text("1\n")
    return tmp_path / "data"


@contextmanager
def left_behind(database_dir: Path, deaf_to: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [database_dir.parent / "postgres", deaf_to]
    with subprocess.Popen(command, cwd=database_dir, preexec_fn=heed_signals) as process:  # noqa: PLW1509 -- calls of the system
        try:
            wait_until(lambda: find_orphans(database_dir) == [process.pid])
            yield process
        finally:
            process.kill()


def heed_signals() -> None:
    """A shell cannot do so by itself where tests run in the background of another: that one has them ignored."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("deaf_to", "ended_by"), [("USR1", signal.SIGINT), ("INT", signal.SIGQUIT), ("INT QUIT", signal.SIGKILL)]
)
async def test_an_orphan_is_stopped_as_gently_as_it_lets_us(
    database_dir: Path, deaf_to: str, ended_by: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [
        (number, 0.1 if number.name.removeprefix("SIG") in deaf_to.split() else 60.0) for number, _ in orphans._STEPS
    ]
    monkeypatch.setattr(orphans, "_STEPS", tuple(steps))
    with left_behind(database_dir, deaf_to) as process:
        await stop_orphans(database_dir, database_dir.parent / "run")
        assert process.wait(60) == -ended_by


def test_lock_files_whose_process_id_belongs_to_another_program_are_cleared(database_dir: Path) -> None:
    asyncio.run(stop_orphans(database_dir, database_dir.parent / "run"))
    assert list(database_dir.iterdir()) == []
    assert list((database_dir.parent / "run").iterdir()) == []


def test_a_program_elsewhere_is_none_of_ours(database_dir: Path, tmp_path: Path) -> None:
    with left_behind(database_dir, "USR1"):
        assert find_orphans(tmp_path / "run") == []
        assert find_orphans(tmp_path / "absent") == []
