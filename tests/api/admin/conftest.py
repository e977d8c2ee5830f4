from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import ControlPlane, control_plane


@pytest.fixture
def plane(database_url: str, tmp_path: Path) -> Iterator[ControlPlane]:
    with control_plane(database_url, tmp_path) as opened:
        yield opened
