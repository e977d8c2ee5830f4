"""The official `openai` SDK for Node against Tollway."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway
from support.replies import WORDS
from support.spender import Spender

SOURCE = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "sdk-node"
INSTALL_TIMEOUT_S = 90.0
TEXT = "".join(WORDS)

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="node and npm are not installed"
)


@pytest.fixture(scope="module")
def node_project() -> Path:
    """The SDK in the version of the lock file, installed once into the cache."""
    lock = (SOURCE / "package-lock.json").read_text()
    installed = CACHE / "package-lock.json"
    if not (CACHE / "node_modules" / "openai").exists() or installed.read_text() != lock:
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, CACHE / name)
        command = ["npm", "ci", "--omit=peer", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        if done.returncode and not _registry_reachable():
            pytest.skip(f"the SDK is not installed and the npm registry cannot be reached: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr
    shutil.copy(SOURCE / "check.mjs", CACHE / "check.mjs")
    return CACHE


def _registry_reachable() -> bool:
    return subprocess.run(["npm", "ping"], capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False).returncode == 0


@pytest.fixture(scope="module")
def seen(node_project: Path, gateway: Gateway) -> dict[str, Any]:
    """What the SDK saw: one run of `check.mjs`."""
    broke = Spender(gateway)
    broke.budget("0")
    environment = {
        "PATH": os.environ["PATH"],
        "BASE_URL": f"{gateway.url}/v1",
        "API_KEY": gateway.project_key,
        "BROKE_KEY": broke.key,
    }
    done = subprocess.run(
        ["node", "check.mjs"],
        cwd=node_project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_chat_and_its_stream_say_the_same(seen: dict[str, Any]) -> None:
    assert seen["chat"] == seen["streamed"] == TEXT
    assert float(seen["cost"]) > 0


def test_a_streamed_tool_call_is_put_together(seen: dict[str, Any]) -> None:
    assert seen["tool"]["name"] == "weather"
    assert json.loads(seen["tool"]["arguments"]) == {"city": "Paris"}


def test_structured_output_completions_and_embeddings_work(seen: dict[str, Any]) -> None:
    assert seen["structured"] == {"city": "Paris", "degrees": 21}
    assert seen["completion"] == TEXT
    assert seen["embedding"] == [[1, 2, 3], [1, 2, 3]]  # the SDK asks for base64 and decodes it


def test_models_are_listed_and_found(seen: dict[str, Any]) -> None:
    assert "stub/gpt" in seen["models"]
    assert seen["model"] == "stub/gpt"


@pytest.mark.parametrize(
    ("case", "name", "status", "code"),
    [
        ("unknownKey", "AuthenticationError", 401, "invalid_api_key"),
        ("unknownModel", "NotFoundError", 404, "model_not_found"),
        ("unpriced", "UnprocessableEntityError", 422, "model_not_priced"),
        ("noMessages", "BadRequestError", 400, "invalid_request"),
        ("rateLimited", "RateLimitError", 429, "rate_limit_exceeded"),
        ("broken", "InternalServerError", 500, "internal_error"),
    ],
)
def test_errors_are_raised_as_the_sdks_own(seen: dict[str, Any], case: str, name: str, status: int, code: str) -> None:
    assert seen["errors"][case] == {"name": name, "status": status, "code": code}


def test_an_error_inside_a_stream_is_raised(seen: dict[str, Any]) -> None:
    assert seen["errors"]["inStream"]["name"] == "APIError"


def test_a_used_up_budget_is_not_asked_again(seen: dict[str, Any]) -> None:
    assert seen["broke"] == {"name": "APIError", "status": 402, "code": "budget_exceeded", "attempts": 1}
