"""A breaker opens on trouble, lets one request through to see, and closes when that is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.breaker import FAILURES_MAX, Breaker, BreakerState, Rests, rest_s, rests_for_all_models
from tollway.routing.failure import Failure, FailureKind


def opened(now_s: float = 0.0) -> tuple[Breaker, float]:
    breaker = Breaker()
    open_s = [breaker.failed(now_s, 1.0) for _ in range(FAILURES_MAX)][-1]
    return breaker, open_s


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_MAX - 1):
        assert not breaker.failed(0.0, 1.0)
    breaker.succeeded(0.0)
    assert not breaker.failed(0.0, 1.0)
    assert breaker.allows(0.0)
    breaker, open_s = opened()
    assert open_s > 0
    assert not breaker.allows(open_s - 0.01)


def test_half_of_many_requests_failing_opens_it() -> None:
    breaker = Breaker()
    states = []
    for number in range(30):
        if number % 3:
            breaker.failed(number * 0.01, 1.0)
        else:
            breaker.succeeded(number * 0.01)
        states.append(breaker.state(number * 0.01))
    assert BreakerState.OPEN in states


def test_half_open_lets_one_request_through_at_a_time() -> None:
    breaker, open_s = opened()
    assert breaker.state(open_s) is BreakerState.HALF_OPEN
    assert breaker.allows(open_s)
    breaker.began(open_s)
    assert not breaker.allows(open_s + 1)
    breaker.released()
    assert breaker.allows(open_s + 1)
    assert breaker.succeeded(open_s + 1)
    assert breaker.state(open_s + 1) is BreakerState.CLOSED


def test_each_probe_that_fails_keeps_it_open_for_longer_up_to_a_minute() -> None:
    breaker, open_s = opened()
    now_s, spans = 0.0, [open_s]
    for _ in range(12):
        now_s += spans[-1]
        breaker.began(now_s)
        spans.append(breaker.failed(now_s, 1.0))
    assert spans == sorted(spans)
    assert spans[1] == 2 * spans[0]
    assert spans[-1] == 60.0


def test_requests_that_began_before_it_opened_change_nothing() -> None:
    breaker, open_s = opened()
    assert not breaker.failed(open_s / 2, 1.0)
    assert breaker.state(open_s) is BreakerState.HALF_OPEN


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=200))
def test_it_is_never_open_for_ever(events: list[tuple[bool, float]]) -> None:
    breaker, now_s = Breaker(), 0.0
    for failed, pause_s in events:
        now_s += pause_s
        if breaker.allows(now_s):
            breaker.began(now_s)
            if failed:
                breaker.failed(now_s, 0.5)
            else:
                breaker.succeeded(now_s)
    assert breaker.allows(now_s + 61)


@pytest.mark.parametrize(
    ("failure", "seconds", "all_models"),
    [
        (Failure(FailureKind.RATE_LIMITED, 429, retry_after_s=7.5), 7.5, False),
        (Failure(FailureKind.RATE_LIMITED, 429), 1.0, False),
        (Failure(FailureKind.RATE_LIMITED, 429, retry_after_s=86_400.0), 300.0, False),
        (Failure(FailureKind.EXHAUSTED, 429), 600.0, True),
        (Failure(FailureKind.CREDENTIAL, 401), 600.0, True),
        (Failure(FailureKind.CREDENTIAL, 403), 600.0, False),
        (Failure(FailureKind.SERVER, 500), 0.0, False),
    ],
)
def test_a_credential_rests_as_long_as_its_failure_asks(failure: Failure, seconds: float, all_models: object) -> None:
    assert rest_s(failure) == seconds
    assert rests_for_all_models(failure) is all_models


def test_a_credential_rests_for_one_model_or_for_all_until_it_is_replaced() -> None:
    rests = Rests()
    rests.rest("a", "m", 10.0)
    assert rests.is_resting("a", "m", 9.0)
    assert not rests.is_resting("a", "n", 9.0)
    assert not rests.is_resting("a", "m", 10.0)
    rests.rest("a", "", 20.0)
    assert rests.is_resting("a", "n", 19.0)
    rests.sweep(15.0)
    assert rests.is_resting("a", "m", 19.0)
    rests.wake("a")
    assert not rests.is_resting("a", "m", 9.0)
