"""Tollway itself, with everything on."""

import json
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

from bench.ask import Shape, get
from bench.install import version_line
from bench.processes import NotReadyError, clean_environment, command_line, move_to_core, tree, wait_until
from bench.target import UPSTREAM_KEY, UPSTREAM_MODEL, Stage, Target, await_answer, free_port, shape

PROVIDER = "stub"
INPUT_USD_PER_MILLION = "0.15"
OUTPUT_USD_PER_MILLION = "0.60"
START_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Ledger:
    """Sums over all ledger entries."""

    entries: int
    input_tokens: int
    output_tokens: int


class Tollway(Target):
    """Key check, prices, ledger, journal, drain to PostgreSQL and an access log line a request."""

    name = "tollway"
    what = "everything on: keys, prices, journal, ledger in PostgreSQL, access log"
    workers = 1
    settings: ClassVar[dict[str, str]] = {}

    def install(self, cache: Path) -> str:  # noqa: ARG002 - it is the project that we are in
        """From this checkout."""
        self.program = Path(sys.executable).with_name("tollway")
        return version_line([str(self.program), "version"]).rpartition(" ")[2]

    def start(self, stage: Stage) -> Shape:
        """Start the workers; the supervisor, PostgreSQL and the drain get their own core, the worker the gateway's."""
        port = free_port()
        data_dir = stage.scratch / "data"
        command = [
            str(self.program),
            "serve",
            "--workers",
            str(self.workers),
            "--port",
            str(port),
            "--data-dir",
            str(data_dir),
        ]
        environment = {"TOLLWAY_LOCAL_MODEL": "false", "TOLLWAY_LOG_FORMAT": "json"} | self.settings
        self.child = stage.children.start(self.name, stage.postgres_core, command, environment=environment)
        keys_file = data_dir / "first_keys.json"
        wait_until(keys_file.exists, timeout_s=START_TIMEOUT_S, child=self.child)
        self.admin_key = json.loads(keys_file.read_text())["admin_key"]
        self.url = f"http://127.0.0.1:{port}"
        wait_until(self._is_ready, timeout_s=START_TIMEOUT_S, child=self.child)
        for worker in self.worker_pids():
            move_to_core(worker, stage.core)
        asked = self._configure(stage, port)
        await_answer(asked, self.child)
        return asked

    def _configure(self, stage: Stage, port: int) -> Shape:
        model = f"{PROVIDER}/{UPSTREAM_MODEL}"
        provider = ("--dialect", "openai", "--base-url", stage.upstream_url, "--api-key-env", "BENCH_UPSTREAM_KEY")
        self.run_command("providers", "add", PROVIDER, *provider)
        self.run_command("prices", "set", model, "--input", INPUT_USD_PER_MILLION, "--output", OUTPUT_USD_PER_MILLION)
        made = self.run_command("keys", "create", "--project", "default", "--name", "bench", "--json")
        return shape(port, key=json.loads(made)["key"], model=model)

    def run_command(self, *arguments: str) -> str:
        """One command of the CLI, as an administrator would give it; returns what it prints."""
        client = {"TOLLWAY_URL": self.url, "TOLLWAY_API_KEY": self.admin_key, "BENCH_UPSTREAM_KEY": UPSTREAM_KEY}
        done = subprocess.run(
            [str(self.program), *arguments],
            env=clean_environment() | client,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        if done.returncode:
            (last,) = (done.stderr or done.stdout).strip().splitlines()[-1:] or [""]
            raise NotReadyError(f"tollway {' '.join(arguments[:2])}: {last}")
        return done.stdout

    def worker_pids(self) -> list[int]:
        """The worker alone: PostgreSQL, the drain and the supervisor carry no request."""
        if self.child is None:
            return []
        return [pid for pid in tree(self.child.pid) if "tollway.worker" in command_line(pid)]

    def ledger(self) -> Ledger:
        """What has reached the ledger by now, as its rollups tell."""
        total = json.loads(self._get("/api/v1/usage"))["total"]
        return Ledger(
            entries=total["requests"], input_tokens=total["input_tokens"], output_tokens=total["output_tokens"]
        )

    def _get(self, path: str) -> bytes:
        return get(self.url + path, {"authorization": f"Bearer {self.admin_key}"})

    def _is_ready(self) -> bool:
        try:
            return bool(self.worker_pids() and self._get("/readyz"))
        except (OSError, HTTPException):
            return False
