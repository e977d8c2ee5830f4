"""``x-ratelimit-*``: what is left of the rate limits that apply to a request, in the form of OpenAI's headers."""

import sys
from functools import lru_cache

from tollway.errors import TollwayError
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.ledger.window import SECOND_US
from tollway.services.inference.claims import Claims

PREFIX = "x-ratelimit-"
_PARALLEL, _REQUESTS = Unit.PARALLEL, Unit.REQUESTS  # naming a member of an enum takes 0.2 µs
_REQUEST_NAMES, _TOKEN_NAMES = (
    tuple(f"{PREFIX}{what}-{kind}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
)
_MS_US = 1_000
_NONE: tuple[int, Lease | None] = (sys.maxsize, None)


def quota_headers(claims: Claims | None) -> list[tuple[bytes, bytes]]:
    """Limit, what remains of it and when it is whole again; of each kind the one of which the least remains.

    What other workers have leased counts as remaining until they say that it is used.
    """
    if claims is None or not (leases := claims.limiting()):
        return []
    requests = tokens = _NONE
    for lease in leases:
        unit = lease.quota.unit
        if unit is _PARALLEL:
            continue
        remaining = lease.remaining
        if unit is _REQUESTS:
            if remaining < requests[0]:
                requests = remaining, lease
        elif remaining < tokens[0]:
            tokens = remaining, lease
    now_us = claims.now_us()
    headers: list[tuple[bytes, bytes]] = []
    for (limit, left, reset), (remaining, tightest) in ((_REQUEST_NAMES, requests), (_TOKEN_NAMES, tokens)):
        if tightest is not None:
            quota = tightest.quota
            amount = quota.amount if quota.raised_until is None else quota.amount_at(now_us / SECOND_US)
            told = 0 if remaining < 0 else min(remaining, amount)
            span_us = tightest.end_us - now_us + quota.length_s * SECOND_US
            resets = _in_ms(span_us) if span_us < SECOND_US else _in_s(-(-span_us // SECOND_US))
            headers += _numbered(limit, amount), (left, b"%d" % told), (reset, resets)
    return headers


def tell_limits(error: TollwayError, claims: Claims | None) -> None:
    """Tell of them with a fault as well."""
    error.headers += tuple((name.decode(), value.decode()) for name, value in quota_headers(claims))


@lru_cache(maxsize=256)  # the same is told to many
def _numbered(name: bytes, number: int) -> tuple[bytes, bytes]:
    return name, b"%d" % number


def _in_ms(span_us: int) -> bytes:
    return b"%dms" % max(-(-span_us // _MS_US), 0)


@lru_cache(maxsize=256)
def _in_s(span_s: int) -> bytes:
    minutes, seconds = divmod(span_s, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds
