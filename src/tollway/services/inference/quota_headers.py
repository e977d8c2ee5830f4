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
    tightest: dict[tuple[bytes, ...], tuple[int, Lease]] = {}
    for lease in claims.limiting():
        unit = lease.quota.unit
        if unit is not _PARALLEL:
            names = _REQUEST_NAMES if unit is _REQUESTS else _TOKEN_NAMES
            remaining = potential(lease) - lease.held
            if names not in tightest or remaining < tightest[names][0]:
                tightest[names] = (remaining, lease)
    now_us = claims.now_us()
    headers: list[tuple[bytes, bytes]] = []
    for (limit, left, reset), (remaining, lease) in tightest.items():
        amount = lease.quota.amount_at(now_us / _S_US)
        headers.append((limit, b"%d" % amount))
        headers.append((left, b"%d" % max(min(remaining, amount), 0)))
        headers.append((reset, reset_text(max(reset_us(lease) - now_us, 0)).encode()))
    return headers


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
