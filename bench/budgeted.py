"""Gateways with a budget, each in the strictest form that its documents name."""

import http.client
import json
import sys
import urllib.parse
from pathlib import Path
from typing import ClassVar

from bench.ask import Shape
from bench.install import python_package
from bench.processes import wait_until
from bench.scene import usd_per_request
from bench.target import UPSTREAM_KEY, UPSTREAM_MODEL, Stage, Target, await_answer, free_port, shape
from bench.targets.ferro import CONFIG as FERRO_CONFIG
from bench.targets.ferro import Ferro
from bench.targets.litellm import LiteLLM
from bench.targets.tollway import INPUT_USD_PER_MILLION, OUTPUT_USD_PER_MILLION, Tollway

WORKERS = 4
BUDGET_REQUESTS = 1_000
REQUEST_USD = usd_per_request(INPUT_USD_PER_MILLION, OUTPUT_USD_PER_MILLION)
BUDGET_USD = f"{BUDGET_REQUESTS * REQUEST_USD:.8f}"
START_TIMEOUT_S = 60.0

_FERRO_BUDGET = f"""
    type: guardrail
    enabled: true
    id: budget
    config:
      spend_limit_usd: {BUDGET_USD}
      input_per_m_tokens: {INPUT_USD_PER_MILLION}
      output_per_m_tokens: {OUTPUT_USD_PER_MILLION}
"""


class BudgetedTollway(Tollway):
    """A hard budget of a day, held by four workers."""

    what = f"{WORKERS} workers, hard budget of a day"
    workers = WORKERS

    def set_budget(self) -> None:
        """Set it, now that the requests that tried it out are paid."""
        self.run_command(
            "budgets", "set", "--project", "default", "--window", "day", "--limit-usd", BUDGET_USD, "--mode", "hard"
        )


class BudgetedFerro(Ferro):
    """Its `budget` plugin, before and after the request, in its one process."""

    what = "1 process, `budget` plugin"
    config = (
        FERRO_CONFIG
        + "plugins:"
        + "".join(
            f"\n  - name: budget\n    stage: {stage}{_FERRO_BUDGET}" for stage in ("before_request", "after_request")
        )
    )


class BudgetedLiteLLM(LiteLLM):
    """`max_budget` of the proxy, in memory: its budgets of keys and teams need a database and Redis beside it."""

    what = f"{WORKERS} workers, `max_budget`, no database, no Redis"
    workers = WORKERS
    params: ClassVar[dict[str, object]] = {
        "input_cost_per_token": float(INPUT_USD_PER_MILLION) / 1e6,
        "output_cost_per_token": float(OUTPUT_USD_PER_MILLION) / 1e6,
    }
    settings: ClassVar[dict[str, object]] = {"max_budget": float(BUDGET_USD), "budget_duration": "30d"}


class AnyLLM(Target):
    """Mozilla's any-llm gateway, before it became Otari: a user's budget in PostgreSQL."""

    name = "any-llm"
    what = "1 process (its `--workers` does not start), budget of a user in PostgreSQL"
    package = "any-llm-sdk[gateway,openai]==1.9.0"
    master_key = "bench-master-key"

    def install(self, cache: Path) -> str:
        """From PyPI; its database is the one that Tollway embeds."""
        self.program = python_package(cache, self.package) / "bin" / "any-llm-gateway"
        return self.package.partition("==")[2]

    def start(self, stage: Stage) -> Shape:
        """Start PostgreSQL and the gateway, and make a user with the budget and a key."""
        url_file = stage.scratch / "database_url"
        database = [sys.executable, "-m", "bench.database", str(stage.scratch / "postgres"), str(url_file)]
        environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        child = stage.children.start("any-llm-postgres", stage.postgres_core, database, environment=environment)
        wait_until(url_file.exists, timeout_s=START_TIMEOUT_S, child=child)
        port = free_port()
        model = f"openai:{UPSTREAM_MODEL}"
        prices = {
            "input_price_per_million": float(INPUT_USD_PER_MILLION),
            "output_price_per_million": float(OUTPUT_USD_PER_MILLION),
        }
        config = {
            "database_url": url_file.read_text().replace("postgresql://", "postgresql+psycopg2://", 1),
            "host": "127.0.0.1",
            "port": port,
            "master_key": self.master_key,
            "providers": {"openai": {"api_key": UPSTREAM_KEY, "api_base": stage.upstream_url}},
            "pricing": {model: prices},
        }
        file = stage.scratch / "config.yaml"
        file.write_text(json.dumps(config))
        command = [str(self.program), "serve", "--config", str(file)]
        self.child = stage.children.start(self.name, stage.core, command)
        self.url = f"http://127.0.0.1:{port}"
        wait_until(lambda: self._reach("GET", "/health") is not None, timeout_s=START_TIMEOUT_S, child=self.child)
        self._call("/v1/users", {"user_id": "bench"})
        key = self._call("/v1/keys", {"key_name": "bench", "user_id": "bench"})["key"]
        asked = shape(port, key=key, model=model, X_AnyLLM_Key=f"Bearer {key}")
        await_answer(asked, self.child)
        return asked

    def set_budget(self) -> None:
        """Give the user its budget, beyond what it has spent to be tried out."""
        spent = float(self._call("/v1/users/bench", None)["spend"])
        budget = self._call("/v1/budgets", {"max_budget": float(BUDGET_USD) + spent})
        self._call("/v1/users/bench", {"budget_id": budget["budget_id"]}, method="PATCH")

    def _call(self, path: str, body: object, *, method: str = "") -> dict[str, str]:
        answer = self._reach(method or ("GET" if body is None else "POST"), path, body)
        if answer is None:
            message = f"any-llm does not answer at {path}"
            raise ConnectionError(message)
        return answer

    def _reach(self, method: str, path: str, body: object = None) -> dict[str, str] | None:
        target = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=START_TIMEOUT_S)
        headers = {"content-type": "application/json", "X-AnyLLM-Key": f"Bearer {self.master_key}"}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = connection.getresponse()
            said = reply.read()
            if reply.status >= http.HTTPStatus.BAD_REQUEST:
                message = f"{method} {path}: {reply.status} {said[:300]!r}"
                raise ConnectionError(message)
            found: dict[str, str] = json.loads(said)
        except (ConnectionRefusedError, ConnectionResetError):
            return None
        finally:
            connection.close()
        return found


GATEWAYS: tuple[type[Target], ...] = (BudgetedTollway, AnyLLM, BudgetedFerro, BudgetedLiteLLM)
"""Portkey's free edition has no budgets, Envoy and nginx neither."""
