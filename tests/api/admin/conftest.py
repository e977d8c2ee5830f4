from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import ControlPlane, control_plane
from support.postgres import PostgresServer


@pytest.fixture
def plane(database_url: str, tmp_path: Path) -> Iterator[ControlPlane]:
    with control_plane(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_plane(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """For tests that change nothing."""
    urls = postgres_server.create()
    with control_plane(urls.app, tmp_path_factory.mktemp("plane")) as opened:
        yield opened
    postgres_server.drop(urls)
