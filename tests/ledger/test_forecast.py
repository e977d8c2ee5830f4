import pytest

from tollway.ledger.forecast import forecast
from tollway.ledger.quota import Period

HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("period", "used", "elapsed_us", "expected"),
    [
        (Period.HOUR, 100, HOUR_US // 2, 200),
        (Period.HOUR, 0, HOUR_US // 2, 0),
        (Period.HOUR, 100, HOUR_US, 100),
        (Period.HOUR, 1, 0, 61),
        (Period.HOUR, 10, 3 * HOUR_US // 7, 24),
        (Period.TOTAL, 100, HOUR_US // 2, None),
        (Period.ROLLING, 100, HOUR_US // 2, 100),
    ],
    ids=["half-time doubles", "nothing", "the end", "a minute at least", "rounded up", "no end", "rolls on"],
)
def test_a_forecast_goes_on_at_the_rate_so_far(
    period: Period, used: int, elapsed_us: int, expected: int | None
) -> None:
    assert forecast(used, period=period, start_us=0, end_us=HOUR_US, now_us=elapsed_us) == expected
