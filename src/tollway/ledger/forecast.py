"""What will have been used at a window's end if it goes on like this."""

from tollway.ledger.quota import Period

_RATE_MIN_US = 60_000_000
"""The rate is measured over a minute at least: the first second of a month says nothing about it."""


def forecast(used: int, *, period: Period, start_us: int, end_us: int, now_us: int) -> int | None:
    """The amount at the end of the window, at the average rate since its begin, rounded up.

    Args:
        used: so far.
        period: of the quota.
        start_us: epoch microseconds at which the window began.
        end_us: and at which it ends.
        now_us: and now.

    Returns:
        ``None`` if the window never ends. Of a rolling one what is used: it stays so at the present rate.
    """
    if period is Period.TOTAL:
        return None
    if period is Period.ROLLING or now_us >= end_us:
        return used
    elapsed_us = max(now_us - start_us, _RATE_MIN_US)
    return used + -(-used * (end_us - now_us) // elapsed_us)
