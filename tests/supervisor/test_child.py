import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.processes import has_ended
from support.waiting import eventually, wait_until
from tollway.supervisor.backoff import Backoff
from tollway.supervisor.child import Child, ChildSpec, ProcessUser
from tollway.supervisor.errors import ChildFailedError

SLEEP = "import time\ntime.sleep(1000)\n"
ANNOUNCE = "import os\nos.write(int(os.environ['TOLLWAY_READY_FD']), b'ready\\n')\n"


def spec(code: str, **changes: object) -> ChildSpec:
    defaults: dict[str, object] = {
        "announces_ready": True,
        "ready_timeout_s": 90.0,
        "stop_timeout_s": 60.0,
        "on_line": lambda _: None,
    }
    return ChildSpec(name="child", command=(sys.executable, "-c", code), **(defaults | changes))  # type: ignore[arg-type]


async def test_a_child_is_ready_when_it_says_so() -> None:
    child = Child(spec("import time; time.sleep(0.1)\n" + ANNOUNCE + SLEEP))
    await child.start()
    assert child.ready
    assert await child.stop() == -signal.SIGTERM
    assert child.pid is None


async def test_a_child_that_cannot_start_is_told_with_its_last_words() -> None:
    child = Child(spec("raise SystemExit('the disk is full')"))
    with pytest.raises(ChildFailedError, match=r"exit code 1[^$]*the disk is full"):
        await child.start()
    await child.stop()


async def test_a_child_that_never_becomes_ready_is_given_up() -> None:
    child = Child(spec(SLEEP, ready_timeout_s=0.3))
    with pytest.raises(ChildFailedError, match="did not start"):
        await child.start()
    assert child.pid is None


async def test_a_child_killed_many_times_in_a_row_always_comes_back() -> None:
    child = Child(spec(ANNOUNCE + SLEEP))
    await child.start()
    for life in range(1, 11):
        assert child.starts == life
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        await eventually(lambda life=life: child.starts == life + 1 and child.ready)  # type: ignore[misc]
    await child.stop()
    assert child.starts == 11


async def test_a_child_that_dies_before_it_is_ready_is_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / "lives"
    code = f"lives = open({str(mark)!r}, 'a+'); lives.seek(0); n = len(lives.read()); lives.write('x'); lives.close()\n"
    child = Child(spec(code + "if n in (1, 2): raise SystemExit(3)\n" + ANNOUNCE + SLEEP))
    await child.start()
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    await eventually(lambda: child.starts == 4 and child.ready)
    await child.stop()


async def test_a_deaf_child_is_stopped_by_force() -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    child = Child(spec(deaf + ANNOUNCE + SLEEP, stop_timeout_s=0.2))
    await child.start()
    assert await child.stop() == -signal.SIGKILL


async def test_a_stopped_child_is_not_started_again() -> None:
    child = Child(spec(ANNOUNCE + SLEEP))
    await child.start()
    child.begin_stop()
    await child.stop()
    assert child.starts == 1


async def test_a_child_can_be_stopped_while_it_starts() -> None:
    child = Child(spec(SLEEP))
    starting = asyncio.create_task(child.start())
    await eventually(lambda: child.pid)
    await child.stop()
    with pytest.raises(ChildFailedError):
        await starting
    assert child.pid is None


async def test_lines_of_a_child_are_passed_on_however_long_they_are() -> None:
    lines: list[str] = []
    code = "print('first', flush=True); print('x' * 300_000, flush=True); print('last', flush=True)\n"
    child = Child(spec(code + ANNOUNCE + SLEEP, on_line=lines.append))
    await child.start()
    await eventually(lambda: "last" in lines)
    await child.stop()
    assert lines[0] == "first"


def test_children_die_with_a_killed_supervisor() -> None:
    code = f"""
import asyncio, sys
from tollway.supervisor.child import Child, ChildSpec
async def main():
    code = {ANNOUNCE + SLEEP!r}
    child = Child(ChildSpec(name="child", command=(sys.executable, "-c", code), announces_ready=True))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        child = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
    wait_until(lambda: has_ended(child))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_a_child_of_root_can_run_as_another_user() -> None:
    lines: list[str] = []
    code = "import os\nprint(os.getuid(), os.getgid(), os.getgroups())\n"
    command = ("/usr/bin/python3", "-c", code)
    user = ProcessUser(65_534, 65_534, "nobody")
    assert await Child(ChildSpec(name="id", command=command, user=user, on_line=lines.append)).run() == (0, b"")
    assert lines == ["65534 65534 []"]


def test_backoff_grows_to_a_bound_and_forgets_after_success() -> None:
    backoff = Backoff()
    delays = [backoff.delay_s(was_ready=False) for _ in range(40)]
    assert 0.05 <= delays[0] <= 0.1
    assert all(2.5 <= delay <= 5.0 for delay in delays[8:])
    assert backoff.delay_s(was_ready=True) == 0
    assert backoff.delay_s(was_ready=False) <= 0.1
