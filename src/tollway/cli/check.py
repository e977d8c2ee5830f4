"""What one check of `tollway doctor` found."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

GIB = 1024**3


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    """It could not be looked at from here; says why."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        area: heading it stands under.
        name: what was looked at.
        level: how bad it is.
        found: what is so.
        advice: what to do about it; empty if nothing is to be done.
    """

    area: str
    name: str
    level: Level
    found: str
    advice: str = ""

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


Check = Callable[[], Iterable[Finding]]


def graded(area: str, name: str, found: str, *, warn: bool = False, fail: bool = False, advice: str = "") -> Finding:
    """A finding whose advice shows only where it is needed."""
    level = Level.FAIL if fail else Level.WARN if warn else Level.OK
    return Finding(area, name, level, found, advice if level is not Level.OK else "")
