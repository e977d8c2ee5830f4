"""SDKs in environments of their own, in the versions of their lock files, run as programs that print what they saw."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).parents[1] / "sdk"
CACHE = Path(__file__).parents[2] / ".cache"
NODE = CACHE / "sdk-node"
LLAMA_INDEX = CACHE / "sdk-llama-index" / "bin" / "python"
"""Made by `scripts/setup`."""
INSTALL_TIMEOUT_S = 180.0
RUN_TIMEOUT_S = 180.0
NODE_MARKS = [
    pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not installed"),
    pytest.mark.timeout(600),  # the first one installs the SDKs
]
"""Of the tests that run SDKs for Node."""


def run_node(script: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a script of `tests/sdk/node` prints: one JSON object."""
    _install_node()
    shutil.copy(SOURCES / "node" / script, NODE / script)
    return _printed(["node", str(NODE / script)], environment)


def run_llama_index(script: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a script of `tests/sdk/llama_index` prints: one JSON object."""
    assert LLAMA_INDEX.exists(), "LlamaIndex is not installed: `make setup` brings it"
    return _printed([str(LLAMA_INDEX), str(SOURCES / "llama_index" / script)], environment)


def _printed(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _install_node() -> None:
    """Install the SDKs, if nobody has; two processes of tests do not do so at the same time."""
    NODE.mkdir(parents=True, exist_ok=True)
    with NODE.with_suffix(".lock").open("wb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _install_node_alone()


def _install_node_alone() -> None:
    lock = (SOURCES / "node" / "package-lock.json").read_text()
    installed = NODE / "installed-lock.json"  # written last: what was broken off is installed again
    if installed.exists() and installed.read_text() == lock:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / "node" / name, NODE / name)
    command = ["npm", "ci", "--omit=peer", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if done.returncode and not _registry_reachable():
        pytest.skip(f"the SDKs are not installed and the npm registry cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    installed.write_text(lock)


def _registry_reachable() -> bool:
    return subprocess.run(["npm", "ping"], capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False).returncode == 0
