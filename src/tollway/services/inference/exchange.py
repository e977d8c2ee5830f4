"""The state of one request on its way through the pipeline, and the two ends it talks to."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from tollway.errors import TollwayError
from tollway.identity.principal import Principal
from tollway.ids import uuid7
from tollway.ledger.entry import Attempt
from tollway.ledger.price import PriceSheet
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
        render_event: the dialect's form of an error inside a stream.
    """

    surface: Surface
    request_id: str
    own_id: str
    key: bytes
    parse: Callable[[bytes], Call]
    render_event: Callable[[TollwayError], bytes]


class Exchange:
    """An admitted request."""

    __slots__ = (
        "admitted_at_us",
        "attempt_started_ns",
        "attempts",
        "call",
        "claims",
        "deployment",
        "entry_id",
        "first_byte_us",
        "inbound",
        "model_sent",
        "principal",
        "response_bytes",
        "settled",
        "sheet",
        "spec",
        "started_ns",
        "status",
    )

    def __init__(
        self,
        *,
        inbound: Inbound,
        principal: Principal,
        call: Call,
        deployment: Deployment,
        spec: ProviderSpec,
        model_sent: str,
        sheet: PriceSheet | None,
    ) -> None:
        self.inbound = inbound
        self.principal = principal
        self.call = call
        self.deployment = deployment
        self.spec = spec
        self.model_sent = model_sent
        self.sheet = sheet
        self.claims: Claims | None = None
        self.entry_id = inbound.own_id or uuid7()
        self.admitted_at_us = time.time_ns() // 1_000
        self.started_ns = self.attempt_started_ns = time.perf_counter_ns()
        self.attempts: tuple[Attempt, ...] = ()
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
        attempt = Attempt(self.deployment.name, self.model_sent, status, error, duration_us)
        self.attempts = (*self.attempts, attempt)
