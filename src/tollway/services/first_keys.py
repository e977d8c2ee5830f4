"""The file that keeps the first keys for the command line of this machine. Readable by its owner alone."""

import os
import tempfile
from pathlib import Path

import msgspec

FILE_NAME = "first_keys.json"


class FirstKeys(msgspec.Struct, frozen=True):
    """The first two keys, and where this installation answers. `repr` hides the keys."""

    admin_key: str
    project_key: str
    url: str

    def __repr__(self) -> str:
        return f"FirstKeys({self.url!r})"


def write_first_keys(data_dir: Path, keys: FirstKeys) -> None:
    """Put the file in place whole; `mkstemp` closes it to others."""
    descriptor, draft = tempfile.mkstemp(dir=data_dir, prefix=FILE_NAME)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(data_dir / FILE_NAME)


def keep_url(data_dir: Path, url: str) -> None:
    """Bring the address in the file up to date. If the operator took the file away, it stays away."""
    try:
        keys = msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=FirstKeys)
    except (FileNotFoundError, msgspec.DecodeError):
        return
    if keys.url != url:
        write_first_keys(data_dir, msgspec.structs.replace(keys, url=url))
