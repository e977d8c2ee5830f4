"""Where and how Tollway listens."""

import os

from pydantic import Field

from tollway.config._base import Section


class ServerSettings(Section):
    """Address, workers, stopping."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=1, le=65_535, description="TCP port to listen on.")
    workers: int = Field(0, ge=0, le=256, description="Worker processes; 0 means one for each core.")
    graceful_timeout_s: float = Field(
        20.0, gt=0, le=3_600, description="Seconds that running requests get to finish when Tollway stops."
    )

    @property
    def worker_count(self) -> int:
        """Worker processes to run: as set, or one for each core that this process may use."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def url(self) -> str:
        """The address as a client on this machine writes it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 -- read, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
