"""``x-ratelimit-*``: what is left of the rate limits that apply to a request, in the form of OpenAI's headers."""

from tollway.ledger.lease import Lease
from tollway.ledger.quota import Unit
from tollway.services.inference.claims import Claims
from tollway.services.inference.patience import potential
from tollway.services.inference.refusal import reset_us

PREFIX = "x-ratelimit-"
_KINDS = {
    Unit.REQUESTS: "requests",
    Unit.TOKENS: "tokens",
    Unit.INPUT_TOKENS: "tokens",
    Unit.OUTPUT_TOKENS: "tokens",
}
_MS_US = 1_000
_S_US = 1_000_000


def quota_headers(claims: Claims | None) -> tuple[tuple[str, str], ...]:
    """Limit, what remains of it and when it is whole again; of each kind the one of which the least remains.

    What other workers have leased counts as remaining until they say that it is used.
    """
    if claims is None or not claims.limited:
        return ()
    now_us = claims.now_us()
    tightest: dict[str, tuple[int, Lease]] = {}
    for lease in claims.leases():
        kind = _KINDS.get(lease.quota.unit)
        if kind is not None:
            remaining = potential(lease) - lease.held
            if kind not in tightest or remaining < tightest[kind][0]:
                tightest[kind] = (remaining, lease)
    headers: list[tuple[str, str]] = []
    for kind, (remaining, lease) in tightest.items():
        amount = lease.quota.amount_at(now_us / _S_US)
        headers.append((f"{PREFIX}limit-{kind}", str(amount)))
        headers.append((f"{PREFIX}remaining-{kind}", str(max(min(remaining, amount), 0))))
        headers.append((f"{PREFIX}reset-{kind}", reset_text(max(reset_us(lease) - now_us, 0))))
    return tuple(headers)


def reset_text(span_us: int) -> str:
    """A span of time as OpenAI writes it, rounded up: ``20ms``, ``1s``, ``6m0s``, ``1h0m0s``."""
    if span_us < _S_US:
        return f"{-(-span_us // _MS_US)}ms"
    minutes, seconds = divmod(-(-span_us // _S_US), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
