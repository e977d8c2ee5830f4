"""What a caller is told whose request a budget or a limit does not let through."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from tollway.errors import BudgetExceededError, BudgetUnavailableError, RateLimitedError
from tollway.ledger.lease import Lease
from tollway.ledger.money import usd_text
from tollway.ledger.quota import Period, Quota, Unit
from tollway.ledger.window import FOREVER_US, SECOND_US
from tollway.ledger.window_text import window_text
from tollway.services.inference.patience import potential

_UNITS = {
    Unit.REQUESTS: "requests",
    Unit.INPUT_TOKENS: "input tokens",
    Unit.OUTPUT_TOKENS: "output tokens",
    Unit.TOKENS: "tokens",
    Unit.PARALLEL: "requests at the same time",
}
_AWAY_RETRY_S = 2
_Refused = TypeVar("_Refused", BudgetExceededError, BudgetUnavailableError, RateLimitedError)


def budget_exceeded(leases: Iterable[Lease], cost: int, now_us: int) -> BudgetExceededError:
    """Hard budgets do not cover the request; the one with the least left is told.

    Args:
        leases: of these budgets.
        cost: the most that the request can cost, in pico-dollars.
        now_us: the database's clock.
    """
    lease = min(leases, key=potential)
    quota = lease.quota
    amount = quota.amount_at(now_us / SECOND_US)
    left = max(potential(lease), 0)
    error = BudgetExceededError(
        f"{_name(quota)} has {usd_text(min(left, amount))} USD left of {usd_text(amount)} USD{_window(quota)}, and "
        f"this request may cost up to {usd_text(cost)} USD. {_resets(lease)} [budget {quota.id}]",
        next_step=f"Ask for a shorter answer (`max_tokens`), or have an administrator raise it: `tollway budgets raise "
        f"{quota.id}`.",
    )
    return _marked(error, quota)


def budget_unavailable(lease: Lease) -> BudgetUnavailableError:
    """A hard budget cannot be asked for more."""
    quota = lease.quota
    error = BudgetUnavailableError(
        f"The database is away, and what this worker had leased is used up: {_name(quota)} cannot be asked for more. "
        f"[budget {quota.id}]",
        next_step="Try again shortly; an organization can choose to be served without (`serve_without_database`).",
        headers=(("retry-after", str(_AWAY_RETRY_S)),),
    )
    return _marked(error, quota)


def rate_limited(leases: Iterable[Lease], now_us: int) -> RateLimitedError:
    """Rate limits do not let the request through now; the one that lasts longest is told."""
    lease = max(leases, key=lambda each: each.end_us)
    quota = lease.quota
    amount = quota.amount_at(now_us / SECOND_US)
    error = RateLimitedError(
        f"{_name(quota)} of {amount} {_UNITS[quota.unit]}{_window(quota)} is reached. [limit {quota.id}]",
        next_step=f"Try again in {wait_s(lease, now_us)} s.",
        headers=(("retry-after", str(wait_s(lease, now_us))),),
    )
    return _marked(error, quota)


def _marked(error: _Refused, quota: Quota) -> _Refused:
    error.of_target = quota.provider is not None or quota.model is not None
    return error


def wait_s(lease: Lease, now_us: int) -> int:
    """Seconds, rounded up, until a limit lets more through."""
    if lease.quota.unit is Unit.PARALLEL:
        return 1
    return max(-(-(lease.end_us - now_us) // SECOND_US), 1)


def _name(quota: Quota) -> str:
    """The quota in words: ``This key's budget for stub/plain``."""
    whose = "key" if quota.key_id else "project" if quota.project_id else "organization"
    words = [f"This {whose}'s {'budget' if quota.unit is Unit.USD else 'limit'}"]
    if quota.user_tag is not None or "user" in quota.each:
        words.append("of this end user")
    if quota.tag_name is not None:
        words.append(f"of the tag {quota.tag_name!r}")
    if quota.model is not None or quota.provider is not None:
        words.append(f"for {quota.model or quota.provider}")
    return " ".join(words)


def _window(quota: Quota) -> str:
    if quota.unit is Unit.PARALLEL or quota.period is Period.TOTAL:
        return ""
    if quota.period is Period.ROLLING:
        return f" in the last {window_text(quota.period, quota.length_s).partition(':')[2]}"
    return f" a {quota.period.value}"


def _resets(lease: Lease) -> str:
    if lease.end_us >= FOREVER_US:
        return "It does not reset."
    reset_s = lease.end_us // SECOND_US + lease.quota.length_s  # a slot of a rolling window counts for its length
    return f"It resets at {datetime.fromtimestamp(reset_s, UTC):%Y-%m-%dT%H:%M:%SZ}."
