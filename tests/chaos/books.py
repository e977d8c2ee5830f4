"""The provider's own log, read while it is written."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from chaos.cast import INPUT_PICO, OUTPUT_PICO
from chaos.provider import Billed


class _Line(msgspec.Struct, gc=False):
    """Either kind of line of the log."""

    serial: int
    mark: str = ""
    input: int = 0
    output: int = 0
    at_us: int = 0
    ended_us: int = 0


_decode = msgspec.json.Decoder(_Line).decode


def price_pico(billed: Billed) -> int:
    """What the request costs at the provider's prices."""
    return billed.input * INPUT_PICO + billed.output * OUTPUT_PICO


@dataclass
class Books:
    """What the provider billed so far.

    Attributes:
        by_mark: the provider's calls of each request.
        ended_us: when each call ended, by serial.
    """

    path: Path
    by_mark: dict[str, list[Billed]] = field(default_factory=lambda: defaultdict(list))
    ended_us: dict[int, int] = field(default_factory=dict)
    _offset: int = 0

    def read_on(self) -> list[Billed]:
        """Read what was written since; the new calls."""
        with self.path.open("rb") as log:
            log.seek(self._offset)
            whole, found, _half = log.read().rpartition(b"\n")
        self._offset += len(whole) + len(found)
        new = []
        for line in whole.splitlines():
            read = _decode(line)
            if read.ended_us:
                self.ended_us[read.serial] = read.ended_us
            else:
                billed = Billed(read.serial, read.mark, read.input, read.output, read.at_us)
                self.by_mark[billed.mark].append(billed)
                new.append(billed)
        return new

    @property
    def calls(self) -> list[Billed]:
        """All calls."""
        return [billed for calls in self.by_mark.values() for billed in calls]
