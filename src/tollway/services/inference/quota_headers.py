"""``x-ratelimit-*``: what is left of the rate limits that apply to a request, in the form of OpenAI's headers."""

from functools import lru_cache

from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
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
_S_US = 1_000_000


def quota_headers(claims: Claims | None) -> list[tuple[bytes, bytes]]:
    """Limit, what remains of it and when it is whole again; of each kind the one of which the least remains.

    What other workers have leased counts as remaining until they say that it is used.
    """
    if claims is None or not claims.terms.limits:
        return []
    requests: Lease | None = None
    tokens: Lease | None = None
    for lease in claims.limiting():
        unit = lease.quota.unit
        if unit is _REQUESTS:
            if requests is None or _remaining(lease) < _remaining(requests):
                requests = lease
        elif unit is not _PARALLEL and (tokens is None or _remaining(lease) < _remaining(tokens)):
            tokens = lease
    now_us = claims.now_us()
    headers: list[tuple[bytes, bytes]] = []
    for names, tightest in ((_REQUEST_NAMES, requests), (_TOKEN_NAMES, tokens)):
        if tightest is not None:
            headers += _told(names, tightest, now_us)
    return headers


def _remaining(lease: Lease) -> int:
    return potential(lease) - lease.held


def _told(names: tuple[bytes, ...], lease: Lease, now_us: int) -> tuple[tuple[bytes, bytes], ...]:
    amount, remaining, span_us = lease.quota.amount_at(now_us / _S_US), _remaining(lease), reset_us(lease) - now_us
    limit, left, reset = names
    told = 0 if remaining < 0 else min(remaining, amount)
    return (limit, b"%d" % amount), (left, b"%d" % told), (reset, reset_text(max(span_us, 0)).encode())


def reset_text(span_us: int) -> str:
    """A span of time as OpenAI writes it, rounded up: ``20ms``, ``1s``, ``6m0s``, ``1h0m0s``."""
    return f"{-(-span_us // _MS_US)}ms" if span_us < _S_US else _long_text(-(-span_us // _S_US))


@lru_cache(maxsize=256)  # the same second is told to many
def _long_text(span_s: int) -> str:
    minutes, seconds = divmod(span_s, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
