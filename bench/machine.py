"""Where a run took place."""

import datetime as dt
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

CORES_NEEDED = 2
QUIET_LOAD = 0.3


@dataclass(frozen=True)
class Machine:
    """The facts a reader needs to judge a figure."""

    at: str
    cpu: str
    cores: int
    memory_gb: float
    system: str
    kernel: str
    python: str
    load_at_start: float

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        return (
            f"{self.at}, {self.cores} cores of {self.cpu}, {self.memory_gb:.0f} GB, {self.system}, "
            f"Linux {self.kernel}, Python {self.python}, load before the run {self.load_at_start:.2f}"
        )

    @property
    def quiet(self) -> bool:
        """Whether nothing else seemed to run."""
        return self.load_at_start < QUIET_LOAD


def describe() -> Machine:
    """This machine, now."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    return Machine(
        at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        cpu=model[1] if model else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9,
        system=system[1] if system else "Linux",
        kernel=platform.release(),
        python=platform.python_version(),
        load_at_start=os.getloadavg()[0],
    )
