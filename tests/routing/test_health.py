"""How fast and how reliable a deployment was lately."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.routing.health import Health, Latency

SECONDS = st.floats(0.001, 100)


@given(st.lists(st.tuples(SECONDS, SECONDS, st.integers(0, 5_000)), min_size=1, max_size=80))
def test_averages_lie_within_what_was_measured(requests: list[tuple[float, float, int]]) -> None:
    health = Health()
    for first_s, rest_s, tokens in requests:
        health.answered(first_s, first_s + rest_s, tokens, stream=True)
    firsts = [first_s for first_s, _, _ in requests]
    assert health.first_token_s is not None
    assert min(firsts) - 1e-9 <= health.first_token_s <= max(firsts) + 1e-9
    late_s = health.late_s(95, stream=True)
    assert (late_s is None) == (len(requests) < 8)
    assert late_s is None or late_s in firsts
    assert health.late_s(95, stream=False) is None


def test_the_newest_requests_count_most() -> None:
    health = Health()
    for seconds in [10.0] * 20 + [1.0] * 20:
        health.answered(seconds, seconds, 0, stream=True)
    assert health.first_token_s == pytest.approx(1.0, abs=0.2)


def test_an_answer_in_one_piece_tells_the_time_per_token() -> None:
    health = Health()
    health.answered(2.0, 2.0, 100, stream=False)
    assert health.first_token_s is None
    assert health.expected_s(100) == pytest.approx(2.0)
    assert Health().expected_s(100) is None


def test_failures_fade_with_answers_and_with_time() -> None:
    health = Health()
    for _ in range(50):
        health.ended(0.0, failed=True)
    assert health.error_rate(0.0) > 0.95
    assert health.error_rate(30.0) == pytest.approx(health.error_rate(0.0) / 2)
    for _ in range(50):
        health.ended(0.0, failed=False)
    assert health.error_rate(0.0) < 0.05


def test_what_others_measured_is_taken_over_where_nothing_is_known() -> None:
    health = Health()
    health.learn(Latency(0.5, None))
    assert (health.first_token_s, health.token_s) == (0.5, None)
    health.learn(Latency(1.0, 0.01))
    assert 0.5 < (health.first_token_s or 0) < 1.0
    assert health.token_s == 0.01
