"""The state of one request on its way through the pipeline, and the two ends it talks to."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from tollway.chat.dialect import Dialect
from tollway.identity.principal import Principal
from tollway.ids import uuid7
from tollway.ledger.entry import Attempt
from tollway.ledger.price import PriceSheet
from tollway.providers.adapter import Adapter
from tollway.providers.registry import ProviderSpec
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.services.inference.claims import Claims

Headers = Sequence[tuple[bytes, bytes]]


class Caller(Protocol):
    """The caller's side of the connection."""

    @property
    def left(self) -> bool:
        """Whether the caller closed the connection."""
        ...

    async def read_body(self) -> bytes:
        """The whole request body, within its limits of size and time."""
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and headers."""
        ...

    async def write(self, data: bytes) -> None:
        """Send part of the body; waits while the caller reads slowly."""
        ...

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Send the last part of the body; `whole` says whether the reply is all of what there should be."""
        ...

    def unwatch(self) -> None:
        """Stop looking for the caller leaving: the request runs to its end."""
        ...


class Inbound(msgspec.Struct, frozen=True):
    """A request before its body is read.

    Attributes:
        surface: where it came in.
        request_id: the id the caller sees.
        own_id: the same, if we made it up: then it names the entry as well. Empty if the caller chose it, because a
            caller may choose the same twice.
        key: the key as it was sent.
        parse: the dialect's parser: body → `Call`.
        dialect: what the surface speaks.
    """

    surface: Surface
    request_id: str
    own_id: str
    key: bytes
    parse: Callable[[bytes], Call]
    dialect: Dialect


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where one attempt goes.

    Attributes:
        deployment: who is asked.
        spec: of the provider.
        model: the name of the model at the provider.
        sheet: its prices; ``None`` if none is known.
        adapter: how it is asked.
    """

    deployment: Deployment
    spec: ProviderSpec
    model: str
    sheet: PriceSheet | None
    adapter: Adapter


class Exchange:
    """An admitted request.

    Attributes:
        target: where the present attempt goes.
        dropped: fields that it left out.
    """

    __slots__ = (
        "admitted_at_us",
        "attempt_started_ns",
        "attempts",
        "call",
        "claims",
        "dropped",
        "entry_id",
        "first_byte_us",
        "inbound",
        "principal",
        "response_bytes",
        "settled",
        "started_ns",
        "status",
        "target",
    )

    def __init__(
        self,
        *,
        inbound: Inbound,
        principal: Principal,
        call: Call,
        target: Target,
    ) -> None:
        self.inbound = inbound
        self.principal = principal
        self.call = call
        self.target = target
        self.claims: Claims | None = None
        self.entry_id = inbound.own_id or uuid7()
        self.admitted_at_us = time.time_ns() // 1_000
        self.started_ns = self.attempt_started_ns = time.perf_counter_ns()
        self.attempts: tuple[Attempt, ...] = ()
        self.dropped: tuple[str, ...] = ()
        self.status = 0
        self.first_byte_us: int | None = None
        self.response_bytes = 0
        self.settled = False

    def elapsed_us(self) -> int:
        """Microseconds since admission."""
        return (time.perf_counter_ns() - self.started_ns) // 1_000

    def passed(self, size: int) -> None:
        """Count bytes of the reply body on their way to the caller."""
        if self.first_byte_us is None:
            self.first_byte_us = self.elapsed_us()
        self.response_bytes += size

    def end_attempt(self, status: int, error: str) -> None:
        """Note how the present attempt ended."""
        duration_us = (time.perf_counter_ns() - self.attempt_started_ns) // 1_000
        attempt = Attempt(self.target.deployment.name, self.target.model, status, error, duration_us)
        self.attempts = (*self.attempts, attempt)
