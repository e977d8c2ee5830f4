"""``x-ratelimit-*``: what is left of the rate limits that apply to a request, in the form of OpenAI's headers."""

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

from tollway.errors import TollwayError
from tollway.ledger.lease import Lease
from tollway.ledger.window import SECOND_US
from tollway.services.inference.claims import Claims

_REQUEST_NAMES = (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests")
_TOKEN_NAMES = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
_SECOND_MS = _MS_US = 1_000
_remaining = attrgetter("remaining")


def quota_headers(claims: Claims | None) -> list[tuple[bytes, bytes]]:
    """Limit, what remains of it and when it is whole again; of each kind the one of which the least remains.

    On a busy route with ample left they are found a thousand times a second, not for each request.

    What other workers have leased counts as remaining until they say that it is used.
    """
    if claims is None:
        return []
    bunch = claims.limiting()
    requests, tokens = bunch.requests, bunch.tokens
    if not (requests or tokens):
        return []
    now_us = claims.leases.now_us()
    if now_us < bunch.told_until_us:
        return bunch.told
    told = _told(_REQUEST_NAMES, requests, bunch.requests_aside, now_us) if requests else []
    if tokens:
        told += _told(_TOKEN_NAMES, tokens, bunch.tokens_aside, now_us)
    if bunch.is_aside:  # and so there is ample
        bunch.told, bunch.told_until_us = told, now_us + _MS_US
    return told


def _told(
    names: tuple[bytes, bytes, bytes], leases: Sequence[Lease], aside: int, now_us: int
) -> list[tuple[bytes, bytes]]:
    """The headers of one kind."""
    tightest = leases[0] if len(leases) == 1 else min(leases, key=_remaining)
    quota = tightest.quota
    amount = quota.amount if quota.raised_until is None else quota.amount_at(now_us / SECOND_US)
    remaining = tightest.beyond + tightest.free + aside
    if remaining > amount:
        remaining = amount
    elif remaining < 0:
        remaining = 0
    span_ms = quota.length_s * _SECOND_MS - (now_us - tightest.end_us) // _MS_US  # rounded up
    resets = _in_ms(span_ms) if span_ms < _SECOND_MS else _in_s(-(-span_ms // _SECOND_MS))
    limit, left, reset = names
    return [(limit, _number(amount)), (left, b"%d" % remaining), (reset, resets)]


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
