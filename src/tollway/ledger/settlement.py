"""What requests take from budgets, as the journal has it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from tollway.ledger.quota import Quota, Unit, WindowRef

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[WindowRef, ...])


class Settlement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one request takes from each of some budgets' windows.

    Attributes:
        windows: those in which the request was admitted, as `packed`: the requests of a route share them, so they are
            written without being built anew, and summed up without being read.
        amount: pico-dollars, from each.
        leased: whether it comes out of the leases of the worker that wrote it. Otherwise the windows were not leased
            (soft budgets, or the database was away and the organization chose to go on).
    """

    windows: bytes
    amount: int
    leased: bool

    @property
    def refs(self) -> tuple[WindowRef, ...]:
        """The windows."""
        return unpacked(self.windows)


def packed(windows: Sequence[WindowRef]) -> bytes:
    """The names of windows in MessagePack."""
    return _encoder.encode(windows)


def unpacked(windows: bytes) -> tuple[WindowRef, ...]:
    """What was `packed`. Raises msgspec.DecodeError if nothing was."""
    return _decoder.decode(windows)


class Charges(NamedTuple):
    """Windows that a request is charged the same in.

    Attributes:
        windows: `packed`.
        strict: whether their budgets are charged the upper bound of a request that the provider did not count.
        leased: see `Settlement`.
    """

    windows: bytes
    strict: bool
    leased: bool


def charges(parts: Iterable[tuple[Quota, WindowRef]], *, leased: bool) -> tuple[Charges, ...]:
    """The windows of the budgets among `parts`; mostly they are all of a kind."""
    budgets = [(quota.strict, ref) for quota, ref in parts if quota.unit is Unit.USD]
    kinds = [(strict, [ref for is_strict, ref in budgets if is_strict is strict]) for strict in (True, False)]
    return tuple([Charges(packed(refs), strict, leased) for strict, refs in kinds if refs])
