import pytest

from tollway.ledger.quota import Period
from tollway.ledger.window_text import ROLLING_MAX_S, period_of, window_text


@pytest.mark.parametrize("text", ["total", "hour", "day", "week", "month", "rolling:1d", "rolling:5h", "rolling:61m"])
def test_a_window_is_written_as_it_was_read(text: str) -> None:
    assert window_text(*period_of(text)) == text


def test_a_length_has_one_text() -> None:
    assert {window_text(*period_of(f"rolling:{length}")) for length in ("1d", "24h", "1440m")} == {"rolling:1d"}


def test_a_rolling_window_is_no_longer_than_a_year() -> None:
    assert period_of("rolling:366d") == (Period.ROLLING, ROLLING_MAX_S)
    with pytest.raises(ValueError, match="366 days"):
        period_of("rolling:367d")
