"""Ferro Labs AI Gateway (Go)."""

from pathlib import Path

from bench.ask import Shape
from bench.install import python_package
from bench.target import UPSTREAM_KEY, UPSTREAM_MODEL, Stage, Target, await_answer, free_port, shape

PACKAGE = "ferrogw==1.5.10"
KEY = "bench-master-key-0123456789abcdef"
CONFIG = f"""
strategy:
  mode: single
targets:
  - virtual_key: openai
    models: [{UPSTREAM_MODEL}]
"""


class Ferro(Target):
    """As its makers benchmark it: one target, no plugins, logs at error, the rate limit of its own off."""

    name = "ferro"
    what = "master key, single target, no plugins, no ledger"
    config = CONFIG

    def install(self, cache: Path) -> str:
        """From PyPI: the wheel carries the Go binary."""
        self.program = python_package(cache, PACKAGE) / "bin" / "ferrogw"
        return PACKAGE.partition("==")[2]

    def start(self, stage: Stage) -> Shape:
        """Start it."""
        port = free_port()
        config = stage.scratch / "config.yaml"
        config.write_text(self.config)
        environment = {
            "GATEWAY_CONFIG": str(config),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "MASTER_KEY": KEY,
            "OPENAI_API_KEY": UPSTREAM_KEY,
            "OPENAI_BASE_URL": stage.upstream_url,
            "RATE_LIMIT_RPS": "0",
            "LOG_LEVEL": "error",
        }
        command = [str(self.program), "serve"]
        self.child = stage.children.start(self.name, stage.core, command, environment=environment)
        await_answer(shape(port, key=KEY), self.child)
        return shape(port, key=KEY)
