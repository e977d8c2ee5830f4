import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tollway.supervisor.errors import AlreadyRunningError, StartError
from tollway.supervisor.lock import DataDirLock


def test_a_second_supervisor_learns_which_process_has_the_directory(tmp_path: Path) -> None:
    with DataDirLock(tmp_path), pytest.raises(AlreadyRunningError, match=re.escape(f"process {os.getpid()}")):
        DataDirLock(tmp_path).__enter__()
    with DataDirLock(tmp_path):
        pass


def test_the_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from tollway.supervisor.lock import DataDirLock
with DataDirLock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(AlreadyRunningError):
            DataDirLock(tmp_path).__enter__()
        holder.kill()
    with DataDirLock(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot be used: Not a directory"):
        DataDirLock(tmp_path / "file" / "data").__enter__()
