"""What Converse leaves to each family of models: where ``top_k`` and reasoning go in ``additionalModelRequestFields``.

Rules:

- ``top_k``: Claude takes it as it is, Nova in its own ``inferenceConfig``; nobody else does.
- Claude up to 4.5 thinks by a budget of tokens, which is always below the bound of the output; an effort becomes the
  budget in `EFFORT_BUDGETS`. From 4.6 on it takes an effort (``minimal`` is ``low``), and a budget becomes the effort
  with that budget or the next higher one.
- Others take an effort, folded to those that they know; a budget becomes an effort as above.
- Where a model never thinks, or always does, nothing needs to be said to have it so; the rest is lost.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html,
https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html, recordings of Claude, Nova and Qwen.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from tollway.chat.losses import Losses
from tollway.chat.request import Reasoning

EFFORT_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 65_536}
_BUDGET_MIN = 1_024
_UP_TO_HIGH = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_UP_TO_XHIGH = _UP_TO_HIGH | {"xhigh": "xhigh", "max": "xhigh"}
_UP_TO_MAX = _UP_TO_XHIGH | {"max": "max"}


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a family of models.

    Attributes:
        signs_as_anthropic: whether its thoughts carry signatures of Anthropic's, and must.
        top_k: path of the field, empty if it takes none.
        effort: path of the field for the effort, empty if it takes none.
        efforts: efforts of ours → its own; ``none`` only where thinking can be turned off by it.
        budget: whether it thinks by a budget of tokens.
        fixed: further fields that turn thinking on.
        off: the fields that turn it off; empty if there are none.
        always_thinks: whether it cannot be turned off.
    """

    signs_as_anthropic: bool = False
    top_k: tuple[str, ...] = ()
    effort: tuple[str, ...] = ()
    efforts: dict[str, str] = {}
    budget: bool = False
    fixed: dict[str, Any] = {}
    off: dict[str, Any] = {}
    always_thinks: bool = False


_CLAUDE_OFF = {"thinking": {"type": "disabled"}}
_UNKNOWN = Family()
_EFFORT = ("reasoning_effort",)
_FAMILIES: tuple[tuple[str, Family], ...] = (
    (
        r"claude-(v\d|instant|3-|haiku-4-|(opus|sonnet)-4-(20\d{6}|[0-5]\b))",
        Family(signs_as_anthropic=True, top_k=("top_k",), budget=True, off=_CLAUDE_OFF),
    ),
    (
        r"claude-",
        Family(
            signs_as_anthropic=True,
            top_k=("top_k",),
            effort=("output_config", "effort"),
            efforts=_UP_TO_MAX,
            fixed={"thinking": {"type": "adaptive"}},
            off=_CLAUDE_OFF,
        ),
    ),
    (
        r"amazon\.nova-2",
        Family(
            top_k=("inferenceConfig", "topK"),
            effort=("reasoningConfig", "maxReasoningEffort"),
            efforts=_UP_TO_HIGH,
            fixed={"reasoningConfig": {"type": "enabled"}},
            off={"reasoningConfig": {"type": "disabled"}},
        ),
    ),
    (r"amazon\.nova", Family(top_k=("inferenceConfig", "topK"))),
    (r"openai\.gpt-oss", Family(effort=_EFFORT, efforts=_UP_TO_HIGH, always_thinks=True)),
    (r"openai\.gpt-", Family(effort=("reasoning", "effort"), efforts=_UP_TO_XHIGH | {"none": "none"})),
    (r"xai\.grok", Family(effort=("reasoning", "effort"), efforts=_UP_TO_XHIGH, always_thinks=True)),
    (r"qwen\.qwen3-coder", _UNKNOWN),
    (r"qwen\.", Family(effort=("reasoning_config",), efforts=_UP_TO_HIGH | {"none": "none"})),
    (r"zai\.glm-5\.3", Family(effort=_EFFORT, efforts=_UP_TO_MAX, always_thinks=True)),
    (r"zai\.|deepseek\.v", Family(effort=_EFFORT, efforts=_UP_TO_HIGH | {"none": "none"})),
    (r"deepseek\.r", Family(always_thinks=True)),
)


@lru_cache(maxsize=1_024)
def family_of(model: str) -> Family:
    """The family of a model by its id, a profile's or an ARN that holds one."""
    return next((family for pattern, family in _FAMILIES if re.search(pattern, model)), _UNKNOWN)


def set_field(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Put a value at a path of nested objects."""
    for name in path[:-1]:
        fields = fields.setdefault(name, {})
    fields[path[-1]] = value


def add_reasoning(
    fields: dict[str, Any],
    reasoning: Reasoning,
    family: Family,
    *,
    output_tokens: int | None,
    losses: Losses,
    name: str,
) -> None:
    """Say how much to think.

    Args:
        fields: ``additionalModelRequestFields``, added to.
        reasoning: what is asked for.
        family: of the model.
        output_tokens: the bound of the output, thoughts included.
        losses: told of what the family cannot be asked for.
        name: of the field, in the caller's dialect.
    """
    if reasoning.summary == "none":
        losses.lose(f"{name}.summary", "The model tells its thoughts, or not, as it does.")
    if reasoning.enabled is False or reasoning.effort == "none":
        _turn_off(fields, family, losses, name)
    elif not (reasoning.enabled or reasoning.effort or reasoning.budget_tokens):
        return
    elif family.budget:
        _set_budget(fields, reasoning, output_tokens, losses, name)
    elif family.effort:
        _set_effort(fields, reasoning, family, losses, name)
    elif reasoning.effort or reasoning.budget_tokens or not family.always_thinks:
        losses.lose(name, "The model cannot be told how much to think.")


def _set_effort(fields: dict[str, Any], reasoning: Reasoning, family: Family, losses: Losses, name: str) -> None:
    effort = _effort(reasoning)
    if effort and effort not in family.efforts:
        losses.lose(name, f"There is no effort {effort[:32]!r}.")
        return
    fields.update({field: dict(value) for field, value in family.fixed.items()})
    if effort:
        set_field(fields, family.effort, family.efforts[effort])
    elif not family.fixed and not family.always_thinks:  # on, and nothing more is said
        set_field(fields, family.effort, family.efforts["medium"])


def _turn_off(fields: dict[str, Any], family: Family, losses: Losses, name: str) -> None:
    if family.off:
        fields.update({field: dict(value) for field, value in family.off.items()})
    elif "none" in family.efforts:
        set_field(fields, family.effort, family.efforts["none"])
    elif family.always_thinks:
        losses.lose(name, "The model cannot be kept from thinking.")


def _set_budget(
    fields: dict[str, Any], reasoning: Reasoning, output_tokens: int | None, losses: Losses, name: str
) -> None:
    budget = reasoning.budget_tokens or EFFORT_BUDGETS.get(reasoning.effort, EFFORT_BUDGETS["medium"])
    if output_tokens is not None:
        budget = min(budget, output_tokens - 1)
    if budget < _BUDGET_MIN:
        losses.lose(name, f"The model thinks with {_BUDGET_MIN} tokens at least, and has fewer for its whole answer.")
        return
    fields["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _effort(reasoning: Reasoning) -> str:
    if reasoning.effort or not reasoning.budget_tokens:
        return reasoning.effort
    return next((effort for effort, budget in EFFORT_BUDGETS.items() if budget >= reasoning.budget_tokens), "max")
