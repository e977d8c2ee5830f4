"""Why an attempt at a provider failed: what decides whether to try again, elsewhere, or not at all. Pure."""

from enum import StrEnum

import msgspec


class FailureKind(StrEnum):
    """Classes of failure."""

    CONNECTION = "connection"
    """No connection: the provider has not heard the request."""
    CUT = "cut"
    """The connection broke, or the reply cannot be read: the provider may have worked, and may bill."""
    TIMEOUT = "timeout"
    """No answer in time, or 408."""
    CONFLICT = "conflict"
    """409."""
    RATE_LIMITED = "rate_limited"
    """429: come back later."""
    EXHAUSTED = "exhausted"
    """The account behind the credential is out of credit or quota: no use for it before somebody pays."""
    CREDENTIAL = "credential"
    """401 or 403: this credential may not."""
    OVERLOADED = "overloaded"
    """503 or 529."""
    SERVER = "server"
    """Other 5xx."""
    FILTERED = "filtered"
    """The provider's content filter held the request back."""
    CONTEXT = "context"
    """The prompt is too long for the model's window."""
    NOT_FOUND = "not_found"
    """The provider has no such model (any more)."""
    INVALID = "invalid"
    """The request itself is wrong: it would be elsewhere too."""


class Failure(msgspec.Struct, frozen=True, gc=False):
    """One failure.

    Attributes:
        kind: its class.
        status: HTTP status of the provider, 0 if none came.
        message: the provider's words, safe to show to the caller: cut to 2,000 characters.
        code: the provider's own code or type, empty if none.
        retry_after_s: when to come back, ``None`` if not said.
    """

    kind: FailureKind
    status: int = 0
    message: str = ""
    code: str = ""
    retry_after_s: float | None = None
