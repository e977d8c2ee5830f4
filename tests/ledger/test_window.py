"""Windows follow the clock on the wall, one after the other, whatever a time zone does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.ledger.quota import Period, Quota, Unit
from tollway.ledger.window import FOREVER_US, counts_since, window_at

S = 1_000_000
HOUR_S = 3_600
CALENDAR = (Period.HOUR, Period.DAY, Period.WEEK, Period.MONTH)
LONGEST_S = {Period.HOUR: HOUR_S, Period.DAY: 49 * HOUR_S, Period.WEEK: 8 * 86_400, Period.MONTH: 32 * 86_400}
zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
instants = st.integers(0, FOREVER_US - 1) | st.integers(0, 2_200_000_000 * S)


def quota(period: Period, zone: str = "UTC", *, length_s: int = 0) -> Quota:
    return Quota("q", "o", Unit.REQUESTS, period, 1, length_s=length_s, time_zone=zone)


def us(text: str) -> int:
    """Epoch microseconds of an ISO 8601 instant with an offset."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def window(period: Period, zone: str, at: str) -> tuple[str, str]:
    """Begin and end as the clock on the wall shows them."""
    start, end = window_at(quota(period, zone), us(at))
    assert start <= us(at) < end
    return tuple(datetime.fromtimestamp(each // S, ZoneInfo(zone)).isoformat() for each in (start, end))  # type: ignore[return-value]


@given(st.sampled_from(CALENDAR), zones, instants)
@example(Period.DAY, ZoneInfo("America/St_Johns"), us("2006-10-29T00:00:30-02:30"))  # midnight comes twice
@example(Period.DAY, ZoneInfo("America/St_Johns"), us("2006-10-28T23:30:00-03:30"))
@example(Period.HOUR, ZoneInfo("America/St_Johns"), us("2006-10-29T00:00:30-02:30"))  # a minute, then back to 23:01
@example(Period.DAY, ZoneInfo("Pacific/Apia"), us("2011-12-29T23:00:00-10:00"))  # the 30th did not take place
@example(Period.HOUR, ZoneInfo("Australia/Lord_Howe"), us("2026-04-05T01:45:00+10:30"))  # half an hour comes again
@example(Period.DAY, ZoneInfo("Africa/Monrovia"), us("1972-01-07T00:30:00+00:00"))  # 44:30 were skipped at midnight
def test_windows_hold_their_instant_and_follow_each_other_without_gap_or_overlap(
    period: Period, zone: ZoneInfo, at_us: int
) -> None:
    start, end = window_at(quota(period, zone.key), at_us)
    assert start <= at_us < end
    assert 0 < end - start <= LONGEST_S[period] * S
    for inside in (start, (start + end) // 2, end - 1):
        assert window_at(quota(period, zone.key), inside) == (start, end)
    if end < FOREVER_US:
        assert window_at(quota(period, zone.key), end)[0] == end
    if start > 0:
        assert window_at(quota(period, zone.key), start - 1)[1] == start


@given(zones, instants)
def test_a_day_begins_at_midnight_unless_the_clock_is_changed_around_it(zone: ZoneInfo, at_us: int) -> None:
    start, end = window_at(quota(Period.DAY, zone.key), at_us)
    begin = datetime.fromtimestamp(start // S, zone)
    if end < FOREVER_US and begin.utcoffset() == datetime.fromtimestamp(start // S - 1, zone).utcoffset():
        assert (begin.hour, begin.minute, begin.second) == (0, 0, 0)


@pytest.mark.parametrize(
    ("at", "hours"), [("2026-03-29T12:00+02:00", 23), ("2026-06-01T12:00+02:00", 24), ("2026-10-25T12:00+01:00", 25)]
)
def test_a_day_on_which_the_clock_is_changed_has_an_hour_less_or_more(at: str, hours: int) -> None:
    start, end = window_at(quota(Period.DAY, "Europe/Berlin"), us(at))
    assert end - start == hours * HOUR_S * S


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    first = window(Period.HOUR, "Europe/Berlin", "2026-10-25T02:30:00+02:00")
    second = window(Period.HOUR, "Europe/Berlin", "2026-10-25T02:30:00+01:00")
    assert first == ("2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00")
    assert second == ("2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00")


def test_an_hour_begins_at_the_full_hour_on_the_wall_in_zones_of_half_hours() -> None:
    assert window(Period.HOUR, "Asia/Kolkata", "2026-01-01T12:10:00+05:30") == (
        "2026-01-01T12:00:00+05:30",
        "2026-01-01T13:00:00+05:30",
    )


def test_half_an_hour_that_comes_again_is_a_window_of_its_own() -> None:
    again = window(Period.HOUR, "Australia/Lord_Howe", "2026-04-05T01:45:00+10:30")
    assert again == ("2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30")


@pytest.mark.parametrize(
    ("zone", "at", "begin"),
    [
        ("America/Sao_Paulo", "2018-11-04T12:00-02:00", "2018-11-04T01:00:00-02:00"),
        ("Africa/Cairo", "2026-04-24T12:00+03:00", "2026-04-24T01:00:00+03:00"),
        ("Africa/Monrovia", "1972-01-07T12:00+00:00", "1972-01-07T00:44:30+00:00"),
    ],
)
def test_a_day_whose_midnight_is_skipped_begins_with_its_first_instant(zone: str, at: str, begin: str) -> None:
    assert window(Period.DAY, zone, at)[0] == begin


def test_a_date_that_a_zone_skipped_has_no_window() -> None:
    assert window(Period.DAY, "Pacific/Apia", "2011-12-29T23:59:59-10:00") == (
        "2011-12-29T00:00:00-10:00",
        "2011-12-31T00:00:00+14:00",
    )


def test_a_week_begins_on_monday_and_a_month_on_its_first_day() -> None:
    assert window(Period.WEEK, "Europe/Berlin", "2026-03-29T23:59:59+02:00") == (
        "2026-03-23T00:00:00+01:00",
        "2026-03-30T00:00:00+02:00",
    )
    assert window(Period.MONTH, "America/New_York", "2028-02-29T23:59:59-05:00") == (
        "2028-02-01T00:00:00-05:00",
        "2028-03-01T00:00:00-05:00",
    )
    assert window(Period.MONTH, "Asia/Tokyo", "2026-12-31T23:59:59+09:00")[1] == "2027-01-01T00:00:00+09:00"


@given(st.sampled_from((Period.SECOND, Period.MINUTE)), zones, instants)
def test_seconds_and_minutes_are_the_same_in_every_zone(period: Period, zone: ZoneInfo, at_us: int) -> None:
    length = S if period is Period.SECOND else 60 * S
    assert window_at(quota(period, zone.key), at_us) == (at_us // length * length, (at_us // length + 1) * length)


@given(zones, instants)
def test_a_total_has_one_window(zone: ZoneInfo, at_us: int) -> None:
    assert window_at(quota(Period.TOTAL, zone.key), at_us) == (0, FOREVER_US)


@given(st.sampled_from(Period), zones, st.integers(FOREVER_US, 2 * FOREVER_US - 1))
def test_a_clock_beyond_the_calendar_is_no_error(period: Period, zone: ZoneInfo, at_us: int) -> None:
    start, end = window_at(quota(period, zone.key, length_s=60), at_us)
    assert start <= at_us < end


lengths = st.integers(1, 400 * 86_400)


@given(lengths, st.integers(0, 2_200_000_000 * S), st.lists(st.floats(0, 1.2), max_size=20))
def test_a_rolling_window_never_sees_less_than_was_used_in_its_length(
    length_s: int, at_us: int, ages: list[float]
) -> None:
    used_at = [max(at_us - int(age * length_s * S), 0) for age in ages]
    rolling = quota(Period.ROLLING, length_s=length_s)
    slot, end = window_at(rolling, at_us)
    earliest = counts_since(rolling, slot)
    for used in used_at:
        counts = window_at(rolling, used)[0] >= earliest
        if used >= at_us - length_s * S:
            assert counts
        if used < at_us - length_s * S - 2 * (end - slot):
            assert not counts


@given(st.integers(1, 400 * 1_440), st.integers(0, 2_200_000_000 * S))
def test_a_rolling_window_counts_61_slots_at_the_most_and_a_slot_for_its_length(length_min: int, at_us: int) -> None:
    length_s = length_min * 60  # as they can be written
    rolling = quota(Period.ROLLING, length_s=length_s)
    slot, end = window_at(rolling, at_us)
    assert (slot - counts_since(rolling, slot)) // (end - slot) <= 60
    reset = end + length_s * S
    assert counts_since(rolling, window_at(rolling, reset)[0]) > slot
    assert counts_since(rolling, window_at(rolling, reset - 1)[0]) <= slot
