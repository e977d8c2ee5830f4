"""Files for secrets that are shown once."""

import stat
from pathlib import Path
from typing import Any

import pytest

from tollway.cli.failure import CommandError
from tollway.cli.secret_file import make_into_file


def test_a_secret_takes_the_place_of_what_was_there_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("an older and longer one")
    assert make_into_file(file, "key", lambda: {"key": "new"}) == {"key": None, "file": str(file)}
    assert file.read_text() == "new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_was_there_stays_if_the_server_refuses(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("still good\n")

    def refused() -> dict[str, Any]:
        raise CommandError("no")

    with pytest.raises(CommandError):
        make_into_file(file, "key", refused)
    assert file.read_text() == "still good\n"
