"""The state of one request on its way through the pipeline, and the two ends it talks to."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from tollway.chat.dialect import Dialect
from tollway.identity.principal import Principal
from tollway.ids import uuid7
from tollway.ledger.entry import Attempt, Spent
from tollway.ledger.price import PriceSheet
from tollway.ledger.quota import Facts
from tollway.providers.adapter import Adapter
from tollway.providers.registry import ProviderSpec
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.plan import Step
from tollway.routing.resolve import Candidate
from tollway.routing.route import Route
from tollway.services.inference.claims import Claims
from tollway.services.live_health import Patient

Headers = Sequence[tuple[bytes, bytes]]
_NEVER_S = math.inf


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
        timeout_s: how long the caller waits; ``None`` if it does not say.
        cache_control: the header of this name, as it came.
    """

    surface: Surface
    request_id: str
    own_id: str
    key: bytes
    parse: Callable[[bytes], Call]
    dialect: Dialect
    timeout_s: float | None = None
    cache_control: bytes = b""


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where one attempt goes.

    Attributes:
        deployment: who is asked.
        spec: of the provider.
        model: the name of the model at the provider.
        sheet: its prices; ``None`` if none is known.
        adapter: how it is asked.
        candidate: what of the route it is; its deployment has the provider's own credential.
        patient: how it does.
        credential_id: which of its credentials is shown.
        context_tokens: the model's window, 0 if it is not known.
    """

    deployment: Deployment
    spec: ProviderSpec
    model: str
    sheet: PriceSheet | None
    adapter: Adapter
    candidate: Candidate
    patient: Patient
    credential_id: str = ""
    context_tokens: int = 0


class Exchange:
    """An admitted request.

    Attributes:
        target: where the present attempt goes.
        route: what stands behind the name that was asked for.
        steps: what may be asked after it, in this order.
        shadow: who is asked besides, ``None`` if nobody.
        claims: what the present attempt holds, ``None`` if nothing applies to it.
        attempting: whether an attempt is under way, and not yet in `attempts`.
        attempts: those that ended.
        tried: how many were sent, the present one included.
        spent: what those that ended have taken, ``None`` for nothing.
        dropped: fields that the present attempt left out.
        charge: what it came to in the end, in pico-dollars.
        saved: what it would have come to without the response cache.
        deadline_s: until when the caller waits, on the monotonic clock.
        request_bytes: size of the body as the caller sent it.
    """

    __slots__ = (
        "admitted_at_us",
        "attempt_started_ns",
        "attempting",
        "attempts",
        "call",
        "charge",
        "claims",
        "deadline_s",
        "dropped",
        "entry_id",
        "first_byte_us",
        "inbound",
        "principal",
        "request_bytes",
        "response_bytes",
        "route",
        "saved",
        "settled",
        "shadow",
        "spent",
        "started_ns",
        "status",
        "steps",
        "target",
        "tried",
    )

    def __init__(
        self,
        *,
        inbound: Inbound,
        principal: Principal,
        call: Call,
        target: Target,
        route: Route,
        steps: Iterable[Step] = (),
        shadow: Candidate | None = None,
    ) -> None:
        self.inbound = inbound
        self.principal = principal
        self.call = call
        self.target = target
        self.route = route
        self.steps = list(steps)
        self.shadow = shadow
        self.claims: Claims | None = None
        self.entry_id = inbound.own_id or uuid7()
        self.admitted_at_us = time.time_ns() // 1_000
        self.started_ns = self.attempt_started_ns = time.perf_counter_ns()
        self.attempting = True
        self.attempts: tuple[Attempt, ...] = ()
        self.tried = 0
        self.spent: Spent | None = None
        self.dropped: tuple[str, ...] = ()
        self.status = 0
        self.first_byte_us: int | None = None
        self.request_bytes = len(call.body)
        self.response_bytes = 0
        self.settled = False
        self.charge = self.saved = 0
        self.deadline_s = _NEVER_S
        if inbound.timeout_s is not None or route.timeout_s is not None:
            self.deadline_s = time.monotonic() + min(inbound.timeout_s or _NEVER_S, route.timeout_s or _NEVER_S)

    def facts(self) -> Facts:
        """What quotas look at."""
        principal, call = self.principal, self.call
        return Facts(
            principal.organization_id,
            principal.project_id,
            principal.origin_id or principal.key_id,
            call.user_tag,
            call.tags,
            self.target.deployment.name,
            self.target.model,
            call.model,
        )

    def elapsed_us(self) -> int:
        """Microseconds since admission."""
        return (time.perf_counter_ns() - self.started_ns) // 1_000

    @property
    def is_pressed(self) -> bool:
        """Whether an attempt may have to be given up: for the caller's sake, or because another target could answer."""
        return self.deadline_s != _NEVER_S or bool(self.steps)

    @property
    def route_key(self) -> tuple[str, str]:
        """The name that was asked for, in its project."""
        return self.principal.project_id, self.call.model

    def left_s(self) -> float:
        """Seconds the caller still waits."""
        return _NEVER_S if self.deadline_s == _NEVER_S else self.deadline_s - time.monotonic()

    def passed(self, size: int) -> None:
        """Count bytes of the reply body on their way to the caller."""
        if self.first_byte_us is None:
            self.first_byte_us = self.elapsed_us()
        self.response_bytes += size

    def begin_attempt(self, target: Target) -> None:
        """Go to a target next. What the last attempt held is settled, or kept for it."""
        self.target = target
        self.attempting = True
        self.dropped = ()
        self.status = 0
        self.attempt_started_ns = time.perf_counter_ns()

    def attempt_us(self) -> int:
        """Microseconds since the present attempt began."""
        return (time.perf_counter_ns() - self.attempt_started_ns) // 1_000

    def end_attempt(self, status: int, error: str) -> None:
        """Note how the present attempt ended; nothing, if it is noted."""
        if not self.attempting:
            return
        self.attempting = False
        attempt = Attempt(self.target.deployment.name, self.target.model, status, error, self.attempt_us())
        self.attempts = (*self.attempts, attempt)
