"""Draw the picture of the README: ``python scripts/terminal_picture.py docs/images/terminal.svg``.

Tollway starts on a fresh data directory, the demo model gets a price, a request is sent to it, and the usage is shown.
What stands in the picture is what was printed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 120
READY_TIMEOUT_S = 300.0
ENTRY_TIMEOUT_S = 10.0


def draw(target: Path) -> None:
    """Run the session and write the SVG.

    Raises:
        RuntimeError: Tollway did not start.
    """
    picture = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as home:
        data_dir = Path(home) / "tollway"
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FORCE_COLOR": "1",
            "COLUMNS": str(COLUMNS),
            "TOLLWAY_DATA_DIR": str(data_dir),
            "TOLLWAY_LOG_LEVEL": "warning",
            "TOLLWAY_ACCESS_LOG": "false",
        }
        printed = Path(home) / "printed"
        with printed.open("wb") as output:
            server = subprocess.Popen(["make", "run"], env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            keys = _wait_ready(printed, server, data_dir)
            _show(picture, "make run", printed.read_text(encoding="utf-8"))
            environment["OPENAI_API_KEY"] = keys["project_key"]
            for command in ("tollway prices set local/smollm2 --input 0.05 --output 0.20", _request(keys["url"])):
                _show(picture, command, _run(command, environment))
                time.sleep(1)  # for the price to reach the worker, and the entry the ledger
            _show(picture, "tollway usage --by model", _run("tollway usage --by model", environment))
        finally:
            server.terminate()
            server.wait()
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = picture.export_svg(title="Tollway")
    target.write_text(
        re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8"
    )  # they are fetched


def _request(url: str) -> str:
    messages = [{"role": "user", "content": "What is a toll road?"}]
    body = {"model": "local/smollm2", "max_tokens": 24, "messages": messages}
    return (
        f'curl -s -D - {url}/v1/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        f"    -d '{json.dumps(body)}'"
    )


def _wait_ready(printed: Path, server: subprocess.Popen[bytes], data_dir: Path) -> dict[str, str]:
    """The first keys, once Tollway has said that it is ready."""
    give_up_at = time.monotonic() + READY_TIMEOUT_S
    while "print(reply" not in printed.read_text(encoding="utf-8"):
        if server.poll() is not None or time.monotonic() > give_up_at:
            message = f"Tollway did not start:\n{printed.read_text(encoding='utf-8')}"
            raise RuntimeError(message)
        time.sleep(0.1)
    keys: dict[str, str] = json.loads((data_dir / "first_keys.json").read_text(encoding="utf-8"))
    return keys


def _run(command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _show(picture: Console, command: str, output: str) -> None:
    picture.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    picture.print(Text.from_ansi(output.strip("\n")))
    picture.print()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
