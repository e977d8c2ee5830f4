"""SDKs for Node, in the versions of the lock file: installed once into the cache, run as programs of their own."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[1] / "sdk" / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "sdk-node"
INSTALL_TIMEOUT_S = 180.0
RUN_TIMEOUT_S = 60.0
NOT_INSTALLED = shutil.which("node") is None or shutil.which("npm") is None


def run_node(script: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a script of `tests/sdk/node` prints: one JSON object."""
    _install()
    shutil.copy(SOURCE / script, CACHE / script)
    done = subprocess.run(
        ["node", script],
        cwd=CACHE,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _install() -> None:
    lock = (SOURCE / "package-lock.json").read_text()
    installed = CACHE / "package-lock.json"
    if (CACHE / "node_modules" / "openai").exists() and installed.read_text() == lock:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCE / name, CACHE / name)
    command = ["npm", "ci", "--omit=peer", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if done.returncode and not _registry_reachable():
        pytest.skip(f"the SDKs are not installed and the npm registry cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


def _registry_reachable() -> bool:
    return subprocess.run(["npm", "ping"], capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False).returncode == 0
