"""A real Tollway for tests: the process tree of `tollway serve`, a fresh database, the stand-in as provider `stub`."""

import contextlib
import copy
import fcntl
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import httpx
import psutil

from support.postgres import DatabaseUrls, Reader
from support.standin import StandIn
from support.waiting import wait_until

START_TIMEOUT_S = 100.0
STOP_TIMEOUT_S = 60.0
STUB_CREDENTIAL = "sk-stub-credential-that-must-stay-secret-7f3a"
INPUT_USD, OUTPUT_USD = "2.5", "10"
"""Prices of every model of the stand-in, USD per million tokens."""
CHARACTERS_USD = "15"
"""And per million characters that it speaks."""
UNPRICED = "unpriced/plain"
"""A model of the stand-in under the name of a provider without prices."""
COMMAND = (sys.executable, "-m", "tollway", "serve")

_marks = itertools.count(1)
_PORTS = 8_000
_held: list[BinaryIO] = []
"""Locks of the ports that this process uses."""


def new_mark() -> str:
    """A name for one request, unique in this run: sent as ``user``, found again in the stand-in and in the ledger."""
    return f"mark-{os.getpid()}-{next(_marks)}"


def free_port() -> int:
    """A port that nobody takes before, or between two starts, of who is to listen there.

    It is below those that the system gives to outgoing connections, and locked against other processes of tests.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    locks = Path(tempfile.gettempdir()) / "tollway-test-ports"
    locks.mkdir(exist_ok=True)
    for port in random.sample(range(max(end - _PORTS, 1_024), end), _PORTS):
        lock = (locks / str(port)).open("wb")
        with contextlib.suppress(OSError), socket.socket() as probe:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.bind(("127.0.0.1", port))
            _held.append(lock)
            return port
        lock.close()
    message = "no port is free"
    raise RuntimeError(message)


def clean_environment() -> dict[str, str]:
    """This environment without what would configure Tollway or name a real provider."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOLLWAY_") and not name.endswith("_API_KEY") and name != "OLLAMA_HOST"
    }


class Gateway:
    """One running Tollway. `start` it, then talk to `url` with `project_key` or `admin_key`."""

    def __init__(self, data_dir: Path, database: DatabaseUrls, settings: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.database = database
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=90.0)
        self._owner = Reader(database.owner)
        self.admin_key = self.project_key = ""
        self.organization: str | None = None
        self._environment = clean_environment() | {
            "TOLLWAY_DATABASE_URL": database.app,
            "TOLLWAY_MIGRATION_DATABASE_URL": database.owner,
            "TOLLWAY_DATA_DIR": str(data_dir),
            "TOLLWAY_PORT": str(self.port),
            "TOLLWAY_WORKERS": "1",
            "TOLLWAY_LOCAL_MODEL": "false",
            "TOLLWAY_LOG_FORMAT": "json",
            "TOLLWAY_GRACEFUL_TIMEOUT_S": "5",
            **settings,
        }
        self.workers = int(self._environment["TOLLWAY_WORKERS"])

    def start(self) -> Self:
        """Start the process tree and wait until it serves.

        Raises:
            RuntimeError: it ended instead.
        """
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                COMMAND, env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_until(self._ready, within_s=START_TIMEOUT_S, what=f"Tollway to be ready; its log: {self.log_path}")
        keys = json.loads((self.data_dir / "first_keys.json").read_text())
        self.admin_key, self.project_key = keys["admin_key"], keys["project_key"]
        return self

    def keep_content(self, project: str = "default") -> None:
        """Let a project keep what is said, so that dialogues go on."""
        self.admin("PATCH", f"/projects/{project}", {"store_content": "full"})

    def close(self) -> None:
        """End the connections of the test to it and to its database."""
        self.client.close()
        self._owner.close()

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            message = f"Tollway ended with {self.process.returncode}:\n{self.log_path.read_text()[-4_000:]}"
            raise RuntimeError(message)
        return self.serves()

    def serves(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return self.client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Stop as an operator would; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise

    def children(self, module: str) -> list[psutil.Process]:
        """The living processes of the tree that run this module, for instance ``tollway.worker``."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if module in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def serving_workers(self) -> list[psutil.Process]:
        """The workers that accept connections now."""
        return [worker for worker in self.children("tollway.worker") if self._listens(worker)]

    def _listens(self, process: psutil.Process) -> bool:
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in connections)

    def headers(self, key: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {key or self.project_key}"}

    def post(
        self, path: str, body: object, *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """POST to the data plane; a body that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        sent = self.headers(key) | {"content-type": "application/json"} | dict(headers or {})
        return self.client.post(path, content=content, headers=sent)

    def chat(self, model: str = "plain", **fields: object) -> httpx.Response:
        """One chat completion of a model of the stand-in."""
        return self.post("/v1/chat/completions", chat_body(model, **fields))

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Call the control plane; the decoded answer.

        Raises:
            httpx.HTTPStatusError: it refused.
        """
        of = {"organization": self.organization} if self.organization else None
        answer = self.client.request(
            method, f"/api/v1{path}", json=body, params=of, headers=self.headers(self.admin_key)
        )
        if answer.is_error:
            message = f"{method} {path}: {answer.status_code} {answer.text}"
            raise httpx.HTTPStatusError(message, request=answer.request, response=answer)
        return answer.json() if answer.content else None

    def tenant(self) -> Self:
        """The same Tollway for an organization of its own, so that names of providers do not meet."""
        other = copy.copy(self)
        other.organization = new_mark()
        self.admin("POST", "/organizations", {"name": other.organization})
        other.admin("POST", "/projects", {"name": "default"})
        other.project_key = other.new_key()
        return other

    def query(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Ask the database as its owner."""
        return self._owner.query(sql, values)

    def entries(self, mark: str) -> list[dict[str, Any]]:
        """The ledger entries whose request carried this mark, as they are now."""
        return self.query("SELECT * FROM ledger_entry WHERE user_tag = %s", mark)

    def entry(self, mark: str) -> dict[str, Any]:
        """The one ledger entry of this mark, once it has landed."""
        found = wait_until(lambda: self.entries(mark), what=f"the ledger entry of {mark}")
        assert len(found) == 1, found
        return found[0]

    def add_stub(self, standin: StandIn) -> None:
        """Register the stand-in as `stub`, with a price for every model, and as `unpriced`."""
        self.add_provider("stub", standin.base_url, models=["plain", "gpt"])
        self.set_price("stub", "*", {"input": INPUT_USD, "output": OUTPUT_USD, "characters": CHARACTERS_USD})
        self.add_provider("unpriced", standin.base_url)

    def add_provider(self, name: str, base_url: str, **fields: object) -> None:
        body = {"name": name, "spec": "openai_compatible", "base_url": base_url, "credential": STUB_CREDENTIAL}
        self.admin("POST", "/providers", body | fields)

    def new_key(self, project: str | None = "default", **fields: object) -> str:
        """A new key of a project, or with no project of the organization."""
        key: str = self.admin("POST", "/keys", {"name": new_mark(), "project": project} | fields)["key"]
        return key

    def set_price(self, provider: str, model: str, rates: Mapping[str, str] | None = None) -> None:
        rates = rates or {"input": INPUT_USD, "output": OUTPUT_USD}
        self.admin("PUT", f"/prices/{provider}/{model}", {"rates": rates})


def chat_body(model: str = "plain", **fields: object) -> dict[str, object]:
    """The body of a chat completion."""
    return {"model": f"stub/{model}", "messages": [{"role": "user", "content": "Say something."}]} | fields


def expected_charge_pico(tokens: tuple[int, int]) -> int:
    """The charge of a reply of the stand-in: one USD per million tokens is a million pico-dollars per token."""
    return tokens[0] * 2_500_000 + tokens[1] * 10_000_000


@contextmanager
def running(
    data_dir: Path, database: DatabaseUrls, standin: StandIn | None = None, **settings: str
) -> Iterator[Gateway]:
    """A Tollway that runs for the length of the block."""
    gateway = Gateway(data_dir, database, settings)
    try:
        gateway.start()
        if standin:
            gateway.add_stub(standin)
            gateway.keep_content()
            model = gateway.client.get("/v1/models/stub/plain", headers=gateway.headers())
            assert model.is_success, model.text  # and so it is known from now on
        yield gateway
    finally:
        gateway.close()
        if gateway.process.poll() is None:
            gateway.stop()
