"""What a cloud gives for an identity, and the faults on the way."""

import msgspec

from tollway.providers.sign_in.identity import Identity
from tollway.providers.sign_in.sigv4 import AwsKeys

_REASON_MAX_CHARS = 300
_NO_SECRETS = frozenset({"type", "client_id", "tenant_id", "client_email", "project_id", "token_uri", "authority"})
_SECRET_MIN_CHARS = 6


class Grant(msgspec.Struct, frozen=True):
    """What requests are shown to a cloud with, for a time. `repr` hides it.

    Attributes:
        expires_at_s: epoch seconds.
        token: sent as it is.
        keys: to sign with, instead of a token.
    """

    expires_at_s: float
    token: str = ""
    keys: AwsKeys | None = None

    def __repr__(self) -> str:
        return f"Grant(expires_at_s={self.expires_at_s})"


class SignInRefused(Exception):  # noqa: N818 -- an outcome that is told, not a defect
    """The cloud, or its library, gave nothing. Attributes: reason: one sentence that is safe to show an operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SignInMissing(SignInRefused):
    """The cloud's library is not installed."""


def refused(error: Exception, identity: Identity) -> SignInRefused:
    """What a library raised, in words without a secret of the identity's."""
    reason = f"{type(error).__name__}: {error}"
    for name, value in (identity.document() or {"credential": identity.credential}).items():
        if name not in _NO_SECRETS and isinstance(value, str) and len(value) >= _SECRET_MIN_CHARS:
            reason = reason.replace(value, "…")
    return SignInRefused(" ".join(reason.split())[:_REASON_MAX_CHARS])
