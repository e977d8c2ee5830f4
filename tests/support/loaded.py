"""A process that has loaded the command `tollway`, and runs it in children of its own: ``python -m support.loaded``.

Loading takes most of the time of a short command. A child is as much a process of its own as one that loads everything
anew: its environment, folder, streams and exit code are those that a test gives it.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.gateway import clean_environment
from tollway.cli.main import COMMANDS, main

_SERVES_ITSELF = "serve"


class Loaded:
    """Such a process, seen from the tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.loaded"],
            env=clean_environment() | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, streams: Path) -> int:
        """Run the command to its end.

        Args:
            arguments: of the command.
            environment: all of it.
            folder: where it runs.
            streams: the folder of the files ``in``, which it reads, and ``out`` and ``err``, which it writes.

        Returns:
            Its exit code.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([[*arguments], dict(environment), str(folder), str(streams)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def serve() -> None:
    """Load everything, then run one command after the other until nobody wants any more."""
    for name, (module, _) in COMMANDS.items():
        if name != _SERVES_ITSELF:
            importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(arguments: list[str], environment: dict[str, str], folder: str, streams: str) -> None:
    code = 1
    try:
        for number, (name, flags) in enumerate((("in", os.O_RDONLY), ("out", os.O_WRONLY), ("err", os.O_WRONLY))):
            os.dup2(os.open(Path(streams) / name, flags), number)
        sys.stdin = os.fdopen(0)  # the other one has read ahead what is for the parent
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = ["tollway", *arguments]
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 -- as an interpreter does at its end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
