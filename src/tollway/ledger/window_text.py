"""Windows as people write them: ``day``, ``total``, ``rolling:24h``."""

from tollway.ledger.quota import Period

_LENGTHS_S = {"d": 86_400, "h": 3_600, "m": 60}
ROLLING_MAX_S = 366 * 86_400
"""The longest rolling window: a leap year."""
WINDOW_PATTERN = r"^(total|hour|day|week|month|rolling:[1-9][0-9]{0,5}[mhd])$"


def period_of(text: str) -> tuple[Period, int]:
    """The period and, of a rolling window, its length in seconds.

    Raises:
        ValueError: there is no such window, or it is longer than a year.
    """
    name, _, length = text.partition(":")
    period = Period(name)
    if period is not Period.ROLLING:
        return period, 0
    length_s = int(length[:-1]) * _LENGTHS_S[length[-1:]]
    if length_s > ROLLING_MAX_S:
        raise ValueError("A rolling window has 366 days at the most.")
    return period, length_s


def window_text(period: Period, length_s: int) -> str:
    """The one text of a window: 24 hours are ``rolling:1d``."""
    if period is not Period.ROLLING:
        return period.value
    unit, unit_s = next(item for item in _LENGTHS_S.items() if length_s % item[1] == 0 or item[0] == "m")
    return f"{period.value}:{length_s // unit_s}{unit}"
