"""``x-ratelimit-*``: what is left of the rate limits that apply to a request, in the form of OpenAI's headers."""

from functools import lru_cache
from operator import attrgetter

from tollway.errors import TollwayError
from tollway.ledger.window import SECOND_US
from tollway.services.inference.claims import Claims

PREFIX = "x-ratelimit-"
_REQUEST_NAMES, _TOKEN_NAMES = (
    tuple(f"{PREFIX}{what}-{kind}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
)
_SECOND_MS = _MS_US = 1_000
_remaining = attrgetter("remaining")


def quota_headers(claims: Claims | None) -> list[tuple[bytes, bytes]]:
    """Limit, what remains of it and when it is whole again; of each kind the one of which the least remains.

    What other workers have leased counts as remaining until they say that it is used.
    """
    if claims is None:
        return []
    bunch = claims.limiting()
    requests, tokens = bunch.requests, bunch.tokens
    if not requests and not tokens:
        return []
    now_us = claims.leases.now_us()
    headers: list[tuple[bytes, bytes]] = []
    for (limit, left, reset), leases in ((_REQUEST_NAMES, requests), (_TOKEN_NAMES, tokens)):
        if leases:
            tightest = leases[0] if len(leases) == 1 else min(leases, key=_remaining)
            quota = tightest.quota
            amount = quota.amount if quota.raised_until is None else quota.amount_at(now_us / SECOND_US)
            remaining = tightest.beyond + tightest.free
            if remaining > amount:
                remaining = amount
            elif remaining < 0:
                remaining = 0
            span_ms = quota.length_s * _SECOND_MS - (now_us - tightest.end_us) // _MS_US  # rounded up
            resets = _in_ms(span_ms) if span_ms < _SECOND_MS else _in_s(-(-span_ms // _SECOND_MS))
            headers += (limit, _number(amount)), (left, b"%d" % remaining), (reset, resets)
    return headers


def tell_limits(error: TollwayError, claims: Claims | None) -> None:
    """Tell of them with a fault as well."""
    error.headers += tuple((name.decode(), value.decode()) for name, value in quota_headers(claims))


@lru_cache(maxsize=256)  # the same is told to many
def _number(number: int) -> bytes:
    return b"%d" % number


@lru_cache(maxsize=_SECOND_MS)
def _in_ms(span_ms: int) -> bytes:
    return b"%dms" % max(span_ms, 0)


@lru_cache(maxsize=256)
def _in_s(span_s: int) -> bytes:
    minutes, seconds = divmod(span_s, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds
