"""Entries that the database cannot hold, kept for a person to look at: one JSON object a line."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from tollway.ledger.entry import LedgerEntry

FILE_NAME = "refused.jsonl"


def keep_refused(quarantine: Path, entry: LedgerEntry, *, reason: str) -> Path:
    """Append the entry with the reason; durable when this returns.

    Returns:
        The file.

    Raises:
        OSError: the disk refused it.
    """
    quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = quarantine / FILE_NAME
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    with suppress(msgspec.DecodeError):  # else as it came
        fields["settlements"] = [(each.refs, each.amount, each.leased) for each in entry.settlements]
    line = msgspec.json.encode({"reason": reason, "entry": fields}) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return path
