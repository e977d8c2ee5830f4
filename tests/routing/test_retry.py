"""What comes after a failure, and that a storm is not made worse."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.failure import Failure, FailureKind
from tollway.routing.retry import Move, RetryBudget, back_off_s, moves, parse_timeout_s
from tollway.routing.route import Retry


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FailureKind.INVALID, (Move.STOP,)),
        (FailureKind.CONNECTION, (Move.NEXT, Move.SAME, Move.STOP)),
        (FailureKind.RATE_LIMITED, (Move.NEXT, Move.SAME, Move.STOP)),
        (FailureKind.TIMEOUT, (Move.NEXT, Move.STOP)),
        (FailureKind.CREDENTIAL, (Move.NEXT, Move.STOP)),
        (FailureKind.CONTEXT, (Move.LARGER, Move.STOP)),
    ],
)
def test_each_class_of_failure_has_its_moves(kind: FailureKind, expected: tuple[Move, ...]) -> None:
    assert moves(Failure(kind), Retry()) == expected


@given(st.sampled_from(list(FailureKind)), st.sets(st.sampled_from(list(FailureKind))))
def test_a_route_chooses_what_is_retried_but_never_a_wrong_request(kind: FailureKind, chosen: set[FailureKind]) -> None:
    found = moves(Failure(kind), Retry(retry_on=tuple(chosen), fall_back_on=()))
    assert (Move.SAME in found) == (kind in chosen - {FailureKind.INVALID, FailureKind.CONTEXT})


@given(st.integers(1, 50), st.one_of(st.none(), st.floats(0, 100)), st.floats(0, 1))
def test_a_pause_is_random_bounded_and_not_shorter_than_the_provider_asks(
    tries: int, retry_after_s: float | None, draw: float
) -> None:
    retry = Retry()
    pause_s = back_off_s(retry, tries, retry_after_s, draw)
    if retry_after_s is not None and retry_after_s > retry.back_off_max_s:
        assert pause_s is None
        return
    assert pause_s is not None
    assert (retry_after_s or 0) <= pause_s <= retry.back_off_max_s
    if retry_after_s is None:
        assert pause_s <= retry.back_off_base_s * 2 ** (tries - 1)


@given(st.lists(st.booleans(), max_size=2_000), st.integers(0, 100))
def test_retries_are_no_more_than_their_part_of_the_requests_and_a_handful(wanted: list[bool], percent: int) -> None:
    budget, retried = RetryBudget(), 0
    for number, wants in enumerate(wanted, 1):
        budget.asked(percent)
        retried += wants and budget.take(percent)
        assert retried <= number * percent / 100 + 10
    assert percent or not retried


def test_a_storm_is_retried_by_its_part_only() -> None:
    budget = RetryBudget()
    taken = 0
    for _ in range(10_000):
        budget.asked(10)
        taken += budget.take(10)
    assert 990 <= taken <= 1_011


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30.0), ("30s", 30.0), ("1.5s", 1.5), ("800ms", 0.8), (" 2 ", 2.0)]
)
def test_a_timeout_is_read_in_seconds_or_milliseconds(text: str, seconds: float) -> None:
    assert parse_timeout_s(text) == pytest.approx(seconds)


@given(st.one_of(st.text(), st.sampled_from(["0", "-1", "1e3", "1m", "inf", "nan", "86401", "٣", "1 s"])))
def test_anything_else_is_refused(text: str) -> None:
    seconds = 1.0
    with suppress(ValueError):
        seconds = parse_timeout_s(text)
    assert 0 < seconds <= 86_400
