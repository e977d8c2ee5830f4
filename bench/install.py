"""Programs from the registries, each in its own folder of a cache outside the repository."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.target import NotInstalledError

INSTALL_TIMEOUT_S = 600


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/tollway-bench`` or ``~/.cache/tollway-bench``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tollway-bench"


def python_package(cache: Path, requirement: str) -> Path:
    """A virtual environment that holds one requirement (``name==version``, extras allowed) from PyPI.

    Raises:
        NotInstalledError: the index does not have it for this machine.
    """
    folder = cache / "python" / requirement
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv:
            _run([uv, "venv", "-q", "--python", sys.executable, str(folder)])
            _run([uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), requirement])
        else:
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", requirement])
        done.touch()
    return folder


def node_package(cache: Path, name: str, version: str, overrides: Mapping[str, str]) -> Path:
    """A folder with one package from npm, no install scripts run; returns its ``node_modules``.

    Args:
        cache: where such folders lie.
        name: the package.
        version: its exact version.
        overrides: packages below it → the version to take instead of the newest that fits.

    Raises:
        NotInstalledError: Node is missing, or the registry does not have it.
    """
    if not shutil.which("node") or not shutil.which("npm"):
        raise NotInstalledError("needs Node 20 with npm (Debian: apt install nodejs npm)")
    folder = cache / "node" / f"{name.replace('/', '+')}@{version}"
    manifest = json.dumps({"private": True, "dependencies": {name: version}, "overrides": dict(overrides)})
    done = folder / "installed"
    if not done.exists() or done.read_text() != manifest:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(manifest)
        _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)])
        done.write_text(manifest)
    return folder / "node_modules"


def debian_program(name: str, package: str) -> str:
    """The path of a program that Debian packages.

    Raises:
        NotInstalledError: it is not there.
    """
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin"):
        if folder and os.access(path := Path(folder) / name, os.X_OK):
            return str(path)
    raise NotInstalledError(f"needs {name} (Debian: apt install {package})")


def version_line(command: list[str]) -> str:
    """The first line that the command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise NotInstalledError(f"install failed: {' '.join(last)[:200]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise NotInstalledError(f"install failed: {error}") from error
