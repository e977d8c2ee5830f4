"""LiteLLM's proxy (Python)."""

import json
from pathlib import Path
from typing import ClassVar

from bench.ask import Shape
from bench.install import python_package
from bench.target import UPSTREAM_KEY, UPSTREAM_MODEL, Stage, Target, await_answer, free_port, shape

PACKAGE = "litellm[proxy]==1.106.0"
KEY = "sk-bench-master-key"
START_TIMEOUT_S = 120.0


class LiteLLM(Target):
    """Its fastest honest form: one worker, master key, no database, so no spend log."""

    name = "litellm"
    what = "master key, no database, no ledger"
    workers = 1
    params: ClassVar[dict[str, object]] = {}
    """More of the model's settings."""
    settings: ClassVar[dict[str, object]] = {}
    """More of LiteLLM's settings."""

    def install(self, cache: Path) -> str:
        """From PyPI, into a virtual environment of its own."""
        self.program = python_package(cache, PACKAGE) / "bin" / "litellm"
        return PACKAGE.partition("==")[2]

    def start(self, stage: Stage) -> Shape:
        """Start it; its imports take a while."""
        port = free_port()
        upstream = {"model": f"openai/{UPSTREAM_MODEL}", "api_key": UPSTREAM_KEY, "api_base": stage.upstream_url}
        config = {
            "model_list": [{"model_name": UPSTREAM_MODEL, "litellm_params": upstream | self.params}],
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"telemetry": False} | self.settings,
        }
        file = stage.scratch / "config.yaml"
        file.write_text(json.dumps(config))
        options = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
        options += ["--num_workers", str(self.workers)]
        environment = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        self.child = stage.children.start(self.name, stage.core, [str(self.program), *options], environment=environment)
        asked = shape(port, key=KEY)
        await_answer(asked, self.child, timeout_s=START_TIMEOUT_S)
        return asked
