"""The command `tollway` as a process, as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.gateway import clean_environment

TIMEOUT_S = 90


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
        done = subprocess.run(
            [sys.executable, "-m", "tollway", *arguments],
            input=stdin,
            env=self.environment | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run it; fail the test if it fails."""
        done = self(*arguments, stdin=stdin, **environment)
        assert done.code == 0, done
        return done
