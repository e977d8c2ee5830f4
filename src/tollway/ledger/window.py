"""Windows of the clock: when the window that holds an instant begins and ends.

Nothing is ever reset: a new window is simply another one. Whatever a time zone does, windows follow each other without
a gap and without an overlap:

- Seconds and minutes are those of UTC.
- A day lasts from midnight to midnight and so has 23, 24 or 25 hours; where midnight is skipped it begins with the
  first instant of its date, and where midnight comes twice, with the first one. Weeks begin on Monday, months on the
  first.
- An hour is one of the clock on the wall. One that comes twice, as the clock is put back, is two windows; where half an
  hour is skipped or comes again, the windows around are shorter.
- A rolling window is kept in slots of a sixtieth of its length. Those that count at an instant reach back at least the
  whole length: never less is seen than was used in it, and at the most a slot more.

Instants are epoch microseconds.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tollway.ledger.quota import Period, Quota, WindowRef

FOREVER_US = 253_370_764_800_000_000
"""The year 9999, in which the calendar of Python ends: the end of a window without end."""
SECOND_US = 1_000_000
_MINUTE_US = 60 * SECOND_US
_HOUR_S = 3_600
_SLOTS = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_at(quota: Quota, at_us: int) -> tuple[int, int]:
    """Begin and end of the window that holds an instant: ``start_us <= at_us < end_us``. Of a rolling quota: the slot.

    Args:
        quota: by whose time zone hours and longer windows go.
        at_us: from 1970 on; from `FOREVER_US` on there is but one window.
    """
    if at_us >= FOREVER_US:
        return FOREVER_US, 2 * FOREVER_US
    match quota.period:
        case Period.TOTAL:
            return 0, FOREVER_US
        case Period.SECOND:
            return _multiples(at_us, SECOND_US)
        case Period.MINUTE:
            return _multiples(at_us, _MINUTE_US)
        case Period.ROLLING:
            return _multiples(at_us, _slot_us(quota.length_s))
    zone = ZoneInfo(quota.time_zone)
    at = at_us // SECOND_US
    start, end = _hour(zone, at) if quota.period is Period.HOUR else _days(quota.period, zone, at)
    return start * SECOND_US, min(end * SECOND_US, FOREVER_US)


def named_window(quota: Quota, subject: str, at_us: int) -> tuple[WindowRef, int]:
    """The window of a subject that holds an instant, and its end."""
    start_us, end_us = window_at(quota, at_us)
    return WindowRef(quota.id, quota.generation, subject, start_us), end_us


def counts_since(quota: Quota | None, start_us: int) -> int:
    """From where on what was used counts, at any instant of the window that begins at `start_us`.

    Of a rolling quota: the start of the earliest slot that still counts. Of others, and of one that was deleted
    (``None``): the window's own.
    """
    if quota is None or quota.period is not Period.ROLLING:
        return start_us
    before = start_us - quota.length_s * SECOND_US
    return before - before % _slot_us(quota.length_s)


def _multiples(at_us: int, length_us: int) -> tuple[int, int]:
    start = at_us - at_us % length_us
    return start, start + length_us


def _slot_us(length_s: int) -> int:
    return max(-(-length_s * SECOND_US // _SLOTS), SECOND_US)


def _hour(zone: ZoneInfo, at: int) -> tuple[int, int]:
    """The hour on the wall, cut off where the clock is put forward or back within it. Epoch seconds."""
    offset = _offset(zone, at)
    start = at - (at + offset) % _HOUR_S
    end = start + _HOUR_S
    if _offset(zone, start) != offset:
        start = _change(zone, start, at)
    if _offset(zone, end - 1) != offset:
        end = _change(zone, at, end - 1)
    return start, end


def _days(period: Period, zone: ZoneInfo, at: int) -> tuple[int, int]:
    """The day, week or month. Epoch seconds."""
    today = datetime.fromtimestamp(at, zone).date()
    if at >= _begin(zone, today + timedelta(1)):  # a midnight that came twice: after the first one it is tomorrow
        today += timedelta(1)
    if period is Period.DAY:
        first, after = today, today + timedelta(1)
    elif period is Period.WEEK:
        first = today - timedelta(today.weekday())
        after = first + timedelta(7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(31)).replace(day=1)
    return _begin(zone, first), _begin(zone, after)


def _begin(zone: ZoneInfo, day: date) -> int:
    """The first instant of a date, in epoch seconds; of one that the zone skips altogether, that of the next."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    first, second = _epoch_s(midnight), _epoch_s(midnight.replace(fold=1))
    if second < first:  # the clock is put forward over midnight, and Python gives the instants around
        return _change(zone, second, first)
    return first


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second, after `before` and up to `after`, from which the offset is that of `after`."""
    offset = _offset(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(zone: ZoneInfo, at: int) -> int:
    return _seconds(datetime.fromtimestamp(at, zone).utcoffset() or timedelta(0))


def _epoch_s(moment: datetime) -> int:
    return _seconds(moment.astimezone(UTC) - EPOCH)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)
