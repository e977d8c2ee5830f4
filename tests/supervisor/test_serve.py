"""`tollway serve` as an operator meets it: embedded database, local model, real processes."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from support.gateway import clean_environment, free_port
from support.processes import has_ended
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # it may take long to start
COMMAND = (sys.executable, "-m", "tollway", "serve")
ASK = {"model": "local/smollm2", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}


class Served:
    """A `tollway serve` on a data directory, with its output in a file."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_suffix(".log")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = clean_environment() | {
            "TOLLWAY_DATA_DIR": str(data_dir),
            "TOLLWAY_PORT": str(self.port),
            "TOLLWAY_WORKERS": "1",
            "GROQ_API_KEY": "gsk-of-the-environment",
            **settings,
        }

    def start(self) -> "Served":
        self.output.write_text("")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(COMMAND, env=self.environment, stdout=output, stderr=output)
        wait_until(self._is_ready, within_s=110.0, what=f"ready; see {self.output}")
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.text()
        return "Tollway is ready" in self.text()

    def text(self) -> str:
        return self.output.read_text()

    def key(self, name: str = "project_key") -> str:
        return str(json.loads((self.data_dir / "first_keys.json").read_text())[name])

    def ask(self) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key()}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=ASK, headers=headers, timeout=60.0)

    def child(self, part: str) -> psutil.Process:
        """The child whose command line holds this."""

        def find() -> psutil.Process | None:
            for each in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):  # killed, and not collected yet
                    if any(part in word for word in each.cmdline()):
                        return each
            return None

        found = wait_until(find, what=part)
        assert found
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("serve") / "data").start()
    yield server
    if server.process.poll() is None:
        server.stop()


def is_up(served: Served) -> bool:
    try:
        return served.ask().status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_the_printed_commands_work_as_they_are(served: Served) -> None:
    text = served.text()
    line = next(line for line in text.splitlines() if line.startswith("curl "))
    reply = json.loads(subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout)
    assert reply["model"] == "smollm2"
    code = text[text.index("from openai import OpenAI") :].split("\n\n", 2)
    answer = subprocess.run([sys.executable, "-c", "\n".join(code[:2])], capture_output=True, text=True, check=True)
    assert answer.stdout.strip()


def test_a_reply_of_the_local_model_costs_nothing_and_says_so(served: Served) -> None:
    assert served.ask().headers["x-tollway-cost"] == "0"


def test_providers_of_the_environment_are_registered_and_their_keys_stay_hidden(served: Served) -> None:
    headers = {"authorization": f"Bearer {served.key('admin_key')}"}
    rows = httpx.get(f"{served.url}/api/v1/providers", headers=headers, timeout=60.0).json()["data"]
    assert {"groq", "local"} == {row["name"] for row in rows}
    assert "gsk-of-the-environment" not in json.dumps(rows)
    assert "groq (from the environment)" in served.text()


@pytest.mark.parametrize("part", ["tollway.worker", "tollway.jobs.drain", "pginstall18", "local_model_server"])
def test_whatever_is_killed_comes_back_and_requests_are_served(served: Served, part: str) -> None:
    victim = served.child(part)
    victim.kill()
    wait_until(lambda: has_ended(victim))
    assert served.child(part).pid != victim.pid
    wait_until(lambda: is_up(served), within_s=60.0)


def test_who_comes_back_in_the_place_of_a_killed_worker_goes_on_from_its_counters(served: Served) -> None:
    served.ask()
    wait_until(lambda: counted(served) > 0)
    before = counted(served)  # what a page shows is on disk
    served.child("tollway.worker").kill()
    wait_until(lambda: is_up(served), within_s=60.0)
    assert counted(served) >= before


def counted(served: Served) -> float:
    """Requests that the metrics know of."""
    lines = httpx.get(f"{served.url}/metrics", timeout=60.0).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("tollway_requests_total{"))


def test_a_crash_of_the_local_model_leaves_the_worker_alone(served: Served) -> None:
    worker = served.child("tollway.worker")
    served.child("local_model_server").send_signal(signal.SIGSEGV)
    wait_until(lambda: is_up(served), within_s=60.0)
    assert worker.is_running()


def test_a_second_supervisor_is_refused_and_told_which_process_has_the_directory(served: Served) -> None:
    other = subprocess.run(COMMAND, env=served.environment, capture_output=True, text=True, timeout=100, check=False)
    assert other.returncode == 1
    assert f"(process {served.process.pid})" in other.stderr
    assert "Traceback" not in other.stderr


def test_a_port_in_use_is_refused(served: Served, tmp_path: Path) -> None:
    environment = served.environment | {"TOLLWAY_DATA_DIR": str(tmp_path / "data")}
    other = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert other.returncode == 1
    assert f"cannot listen on 127.0.0.1:{served.port}" in other.stderr


def test_workers_do_not_know_the_owner_of_the_database(served: Served) -> None:
    environment = served.child("tollway.worker").environ()
    assert "tollway_app@" in environment["TOLLWAY_DATABASE_URL"]
    assert "TOLLWAY_MIGRATION_DATABASE_URL" not in environment


def test_a_killed_supervisor_takes_all_with_it_and_the_next_start_serves_the_same_keys(served: Served) -> None:
    children = psutil.Process(served.process.pid).children(recursive=True)
    key = served.key()
    served.stop(signal.SIGKILL)
    wait_until(lambda: all(map(has_ended, children)))
    served.start()
    assert served.key() == key
    assert key not in served.text()
    assert "first_keys.json" in served.text()
    assert is_up(served)


def test_it_stops_gracefully_with_exit_code_0_and_leaves_no_process(served: Served) -> None:
    children = psutil.Process(served.process.pid).children(recursive=True)
    assert served.stop() == 0
    wait_until(lambda: all(map(has_ended, children)))
    assert not re.search(r"\"level\":\"(error|critical)\"", served.text())


def test_stopping_while_it_starts_is_graceful_too(served: Served) -> None:
    with subprocess.Popen(COMMAND, env=served.environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: psutil.Process(process.pid).children())
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    assert "Traceback" not in complaint
