"""Secrets that are shown once, written to a file of their owner's."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def make_into_file(file: Path | None, field: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Make something that has a secret; if that goes to a file, the file is opened first: no full disk loses a secret.

    Args:
        file: where to; ``None`` for nowhere.
        field: of the answer, which holds the secret.
        make: has the server make it.

    Returns:
        The answer; without the secret, and with the file's name, if it was written.
    """
    if file is None:
        return make()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        os.fchmod(target.fileno(), 0o600)
        row = make()
        target.truncate()  # not before: if the server refuses, what was there stays
        target.write(row[field] + "\n")
    return {**row, field: None, "file": str(file)}
