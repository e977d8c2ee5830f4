"""The command line against a running gateway, and without one."""

from pathlib import Path

import pytest

from support.command import Command
from support.gateway import Gateway, new_mark


@pytest.fixture
def tollway(gateway: Gateway, tmp_path: Path) -> Command:
    """The command on the machine of a running gateway: it knows the data directory and nothing else."""
    return Command({"TOLLWAY_DATA_DIR": str(gateway.data_dir)}, tmp_path)


@pytest.fixture
def organization(tollway: Command) -> str:
    """A fresh organization, so that tests do not see one another."""
    name = new_mark()
    tollway.ok("organizations", "create", name)
    return name


@pytest.fixture
def alone(tmp_path: Path) -> Command:
    """The command on a machine where no Tollway runs or ever ran."""
    return Command({"TOLLWAY_DATA_DIR": str(tmp_path / "data"), "TOLLWAY_URL": "http://127.0.0.1:1"}, tmp_path)
