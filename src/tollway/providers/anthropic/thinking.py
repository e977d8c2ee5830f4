"""How much to think: levels of effort and budgets in tokens, each told in the other's terms. Rules, no losses.

- A model that decides itself how much it thinks is told the effort (``output_config.effort``); a budget becomes the
  level whose budget is the nearest from above. An effort it does not have becomes the next lower one it has.
- An older model is told a budget: of an effort, the one in `EFFORT_BUDGETS`; at most half of ``max_tokens``, which
  thoughts count against, so that there is room for the answer. Where that leaves less than the least budget (1,024),
  and with a forced call of a tool, which excludes it there, it does not think for an effort.
- A budget that is not below ``max_tokens`` is cut, as the API wants it: where a limit of ours lowers that, for one.
- An effort in Anthropic's own dialect says nothing of thinking: it stays an effort.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking, …/adaptive-thinking, …/effort.
"""

from typing import Any

from tollway.chat.effort import EFFORT_BUDGETS, effort_of, nearest_effort
from tollway.chat.request import ChatRequest, Reasoning
from tollway.providers.anthropic.models import Abilities
from tollway.providers.anthropic.names import SOURCE

LEAST_BUDGET = 1_024
_ANSWER_PART = 2
_DEFAULT_EFFORT = "medium"
_QUIET = "none"
_FORCING = frozenset({"required", "tool"})


def thinking_fields(chat: ChatRequest, able: Abilities, max_tokens: int) -> tuple[dict[str, Any] | None, str]:
    """``thinking`` and ``output_config.effort`` of a request; ``None`` and empty where they are left out."""
    asked = chat.reasoning
    if asked is None:
        return None, ""
    if asked.enabled is False or asked.effort == _QUIET:
        return _quiet(able), ""
    budgeted = asked.budget_tokens is not None and able.budgets
    told = asked.effort or ("" if budgeted or not asked.budget_tokens else effort_of(asked.budget_tokens))
    effort = told if chat.source == SOURCE else _nearest(told, able)
    if not able.thinks or (asked.enabled is None and chat.source == SOURCE):
        return None, effort
    thinking = _thinking(chat, asked, able, max_tokens)
    return thinking and _shown(thinking, asked), effort


def _thinking(chat: ChatRequest, asked: Reasoning, able: Abilities, max_tokens: int) -> dict[str, Any] | None:
    if asked.budget_tokens is not None and able.budgets:
        below = max_tokens - 1 if max_tokens > LEAST_BUDGET else asked.budget_tokens
        return {"type": "enabled", "budget_tokens": min(asked.budget_tokens, below)}
    if able.adapts:
        return {"type": "adaptive"}
    budget = min(EFFORT_BUDGETS.get(asked.effort, EFFORT_BUDGETS[_DEFAULT_EFFORT]), max_tokens // _ANSWER_PART)
    forced = chat.tool_choice is not None and chat.tool_choice.mode in _FORCING
    return None if budget < LEAST_BUDGET or forced else {"type": "enabled", "budget_tokens": budget}


def _quiet(able: Abilities) -> dict[str, Any] | None:
    """Nothing where the model would not think unasked, or cannot be stopped from it."""
    if not able.thinks or not able.quiet:
        return None
    return {"type": "between_tools" if able.quiet_between_tools else "disabled"}


def _shown(thinking: dict[str, Any], asked: Reasoning) -> dict[str, Any]:
    """With how the thoughts are to be told."""
    if asked.summary == "none":
        return thinking | {"display": "omitted"}
    return thinking | {"display": "summarized"} if asked.summary else thinking


def _nearest(effort: str, able: Abilities) -> str:
    return nearest_effort(effort, able.efforts) if effort and able.efforts else ""
