"""``x-ratelimit-*``: what is left of the rate limits that apply to a request, in the form of OpenAI's headers."""

import sys
from functools import lru_cache

from tollway.errors import TollwayError
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.ledger.window import SECOND_US
from tollway.services.inference.claims import Claims
from tollway.services.inference.patience import potential
from tollway.services.inference.refusal import reset_us

PREFIX = "x-ratelimit-"
_PARALLEL, _REQUESTS = Unit.PARALLEL, Unit.REQUESTS  # naming a member of an enum takes 0.2 µs
_REQUEST_NAMES, _TOKEN_NAMES = (
    tuple(f"{PREFIX}{what}-{kind}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
)
_MS_US = 1_000
_S_MS = 1_000
_NONE: tuple[int, Lease | None] = (sys.maxsize, None)


def quota_headers(claims: Claims | None) -> list[tuple[bytes, bytes]]:
    """Limit, what remains of it and when it is whole again; of each kind the one of which the least remains.

    What other workers have leased counts as remaining until they say that it is used.
    """
    if claims is None or not claims.terms.limits:
        return []
    requests = tokens = _NONE
    for lease in claims.limiting():
        unit = lease.quota.unit
        if unit is _PARALLEL:
            continue
        remaining = potential(lease) - lease.held
        if unit is _REQUESTS:
            if remaining < requests[0]:
                requests = remaining, lease
        elif remaining < tokens[0]:
            tokens = remaining, lease
    now_us = claims.now_us()
    headers: list[tuple[bytes, bytes]] = []
    for names, (remaining, tightest) in ((_REQUEST_NAMES, requests), (_TOKEN_NAMES, tokens)):
        if tightest is not None:
            limit, left, reset = names
            amount, span_us = tightest.quota.amount_at(now_us / SECOND_US), reset_us(tightest) - now_us
            told = 0 if remaining < 0 else min(remaining, amount)
            headers += (
                _numbered(limit, amount),
                (left, b"%d" % told),
                _timed(reset, -(-span_us // _MS_US) if span_us < SECOND_US else -(-span_us // SECOND_US) * _S_MS),
            )
    return headers


def tell_limits(error: TollwayError, claims: Claims | None) -> None:
    """Tell of them with a fault as well."""
    error.headers += tuple((name.decode(), value.decode()) for name, value in quota_headers(claims))


@lru_cache(maxsize=256)  # the same is told to many
def _numbered(name: bytes, number: int) -> tuple[bytes, bytes]:
    return name, b"%d" % number


@lru_cache(maxsize=2_048)
def _timed(name: bytes, span_ms: int) -> tuple[bytes, bytes]:
    return name, reset_text(max(span_ms, 0) * _MS_US).encode()


def reset_text(span_us: int) -> str:
    """A span of time as OpenAI writes it, rounded up: ``20ms``, ``1s``, ``6m0s``, ``1h0m0s``."""
    return f"{-(-span_us // _MS_US)}ms" if span_us < SECOND_US else _long_text(-(-span_us // SECOND_US))


def _long_text(span_s: int) -> str:
    minutes, seconds = divmod(span_s, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
