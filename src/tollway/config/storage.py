"""Where data lies: the data directory, PostgreSQL, the journal."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from tollway.config._base import Section


def default_data_dir() -> Path:
    """``$XDG_DATA_HOME/tollway``, or ``~/.local/share/tollway``."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "tollway"


class StorageSettings(Section):
    """Data directory, database and journal."""

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Directory for the embedded database, the journal and the secrets file. Mode 0700.",
    )
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 15 or newer with pgvector; without it the embedded one is started."
    )
    migration_database_url: SecretStr | None = Field(
        None, description="The same database as its owner, for migrations; default: `TOLLWAY_DATABASE_URL`."
    )
    database_pool_size: int = Field(
        4, ge=1, le=100, description="Connections a worker holds at the most, besides three of its own."
    )
    database_timeout_s: float = Field(5.0, gt=0, le=300, description="Seconds to connect, and for one statement.")
    durability: Literal["write", "fsync"] = Field(
        "write",
        description="`write`: survives a killed process; `fsync`: waits until it survives a power cut.",
    )
    journal_fsync_interval_ms: int = Field(
        20, ge=1, le=10_000, description="Milliseconds between fsyncs of the journal."
    )
    journal_segment_bytes: int = Field(
        16 * 1024 * 1024, ge=4_096, le=1 << 30, description="Size at which a journal segment is closed."
    )
    journal_max_bytes: int = Field(
        4 * 1024**3,
        ge=1 << 20,
        description="Bytes in the journals of all workers, live and dead, at which requests are refused. What is kept "
        "for `TOLLWAY_RECOVERY_WINDOW_S` comes on top, as long as the disk has room.",
    )
    recovery_window_s: float = Field(
        600.0,
        ge=0,
        le=86_400,
        description="Seconds for which journal segments are kept after they were stored, to be sent again if a standby "
        "is promoted that lacks the last of them; 0: not at all. A disk that is nearly full keeps less.",
    )
    drain_interval_ms: int = Field(200, ge=10, le=60_000, description="Milliseconds between drains to PostgreSQL.")
    drain_batch_entries: int = Field(5_000, ge=1, le=50_000, description="Entries in one drain transaction.")
