"""Points in time on the command line."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.cli.failure import CommandError, ExitCode
from tollway.cli.moment import instant

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", "2026-11-22T11:30:00Z"),
        ("24h", "2026-11-21T12:00:00Z"),
        ("7d", "2026-11-15T12:00:00Z"),
        ("2w", "2026-11-08T12:00:00Z"),
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
        ("2026-11-01T12:00:00+02:00", "2026-11-01T10:00:00Z"),
    ],
)
def test_a_time_is_understood_in_each_form(text: str, moment: str) -> None:
    assert instant(text, now=NOW) == moment


def test_no_time_stays_no_time() -> None:
    assert instant(None) is None


@pytest.mark.parametrize("text", ["", "yesterday", "7 d", "999999w", "-1d", "2026-13-01", "7x"])
def test_any_other_text_is_wrong_usage(text: str) -> None:
    with pytest.raises(CommandError, match="is not a time") as raised:
        instant(text, now=NOW)
    assert raised.value.exit_code is ExitCode.USAGE


@given(st.text() | st.from_regex(r"[0-9]{1,7}[mhdw]", fullmatch=True))
def test_no_text_does_anything_worse_than_to_be_refused(text: str) -> None:
    with contextlib.suppress(CommandError):
        told = instant(text, now=NOW)
        assert told is not None
        assert datetime.fromisoformat(told)


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_survives(moment: datetime) -> None:
    told = instant(moment.isoformat())
    assert told is not None
    assert datetime.fromisoformat(told) == moment.replace(microsecond=0)
