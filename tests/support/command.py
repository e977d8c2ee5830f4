"""The command `tollway` as a process, as a user runs it."""

import atexit
import functools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.gateway import clean_environment
from support.loaded import Loaded


@dataclass(frozen=True)
class Done:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be JSON and nothing else."""
        return json.loads(self.out)


class Command:
    """Runs `tollway` with an environment of its own."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = clean_environment() | environment
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run it to its end."""
        with tempfile.TemporaryDirectory() as streams:
            read, out, err = (Path(streams) / name for name in ("in", "out", "err"))
            read.write_text(stdin)
            out.touch()
            err.touch()
            code = _loaded().run(arguments, self.environment | environment, self.folder, Path(streams))
            return Done(code, out.read_text(), err.read_text())

    def ok(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run it; fail the test if it fails."""
        done = self(*arguments, stdin=stdin, **environment)
        assert done.code == 0, done
        return done


@functools.cache
def _loaded() -> Loaded:
    """One for each process of tests."""
    loaded = Loaded()
    atexit.register(loaded.close)
    return loaded
