"""How much to think, between those who say it in words and those who say it in tokens: a documented approximation."""

from collections.abc import Sequence

EFFORT_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 65_536}
"""Effort → tokens of thought at the most, from the least to the most."""
_ORDER = ("none", *EFFORT_BUDGETS)


def effort_of(budget_tokens: int) -> str:
    """The effort that allows so many tokens: the least one that is not less."""
    return next((effort for effort, budget in EFFORT_BUDGETS.items() if budget >= budget_tokens), "max")


def nearest_effort(effort: str, known: Sequence[str]) -> str:
    """The effort out of `known` (from the least to the most) that is nearest; a word nobody knows stays as it is."""
    if effort in known or effort not in _ORDER:
        return effort
    place = _ORDER.index(effort)
    less = [each for each in known if each in _ORDER and _ORDER.index(each) < place and each != "none"]
    return less[-1] if less else next((each for each in known if each != "none"), effort)
