"""Efforts and budgets of thought stand for each other."""

import pytest

from tollway.chat.effort import EFFORT_BUDGETS, effort_of, nearest_effort


@pytest.mark.parametrize(("effort", "budget"), EFFORT_BUDGETS.items())
def test_the_budget_of_an_effort_is_that_effort(effort: str, budget: int) -> None:
    assert effort_of(budget) == effort
    assert effort_of(budget + 1) != effort or effort == "max"


@pytest.mark.parametrize(
    ("effort", "known", "expected"),
    [
        ("low", ("low", "high"), "low"),
        ("medium", ("low", "high"), "low"),
        ("max", ("none", "low", "high"), "high"),
        ("minimal", ("none", "high"), "high"),
        ("none", ("low", "high"), "low"),
        ("bizarre", ("low",), "bizarre"),
    ],
)
def test_an_effort_that_is_not_known_is_the_nearest_one(effort: str, known: tuple[str, ...], expected: str) -> None:
    assert nearest_effort(effort, known) == expected
