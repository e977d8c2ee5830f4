"""The commands in the documentation work: every block marked ``run`` is executed against a running gateway.

The blocks of a page run in one shell, in their order, as by a reader who sits at the server and follows the quick start
first: the address and the project key stand in the variables of the OpenAI SDKs.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference_pages.pages import ROOT, pages

from support.gateway import Gateway, clean_environment, running
from support.postgres import PostgresServer

pytestmark = pytest.mark.timeout(600)  # a small model answers here, on a machine that may be busy

_BLOCK = re.compile(r"^```(?P<language>bash|python) run\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def _script(page: Path) -> str:
    """All runnable blocks of a page as one shell script."""
    parts = ["set -euo pipefail\n"]
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        text = match["text"]
        parts.append(text if match["language"] == "bash" else f"python - <<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n")
    return "".join(parts) if len(parts) > 1 else ""


PAGES = [str(page.relative_to(ROOT)) for page in pages() if _script(page)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Gateway]:
    """A gateway with the demo model, as after the first start."""
    with running(
        tmp_path_factory.mktemp("docs") / "data", postgres_server.create(), TOLLWAY_LOCAL_MODEL="true"
    ) as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(page: str, gateway: Gateway, tmp_path: Path) -> None:
    environment = clean_environment() | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OPENAI_BASE_URL": f"{gateway.url}/v1",
        "OPENAI_API_KEY": gateway.project_key,
        "TOLLWAY_URL": gateway.url,
        "TOLLWAY_DATA_DIR": str(gateway.data_dir),
        "TOLLWAY_DATABASE_URL": gateway.database.app,
        "TOLLWAY_MIGRATION_DATABASE_URL": gateway.database.owner,
    }
    done = subprocess.run(
        ["bash"], input=_script(ROOT / page), env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}"


def test_the_quick_start_is_among_the_pages_that_run() -> None:
    assert "docs/user/quickstart.md" in PAGES
