"""What Converse leaves to each family of models: where ``top_k`` and reasoning go in ``additionalModelRequestFields``.

Rules:

- ``top_k``: Claude takes it as it is, Nova in its own ``inferenceConfig``; nobody else does.
- Claude thinks by the rules of `tollway.providers.anthropic.thinking`, except that effort goes to none but those who
  decide themselves how much they think.
- Others take an effort, folded to those that they know; a budget becomes an effort (`tollway.chat.effort`).
- Where a model never thinks, or always does, nothing needs to be said to have it so; the rest is lost.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html,
https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html, recordings of Claude, Nova and Qwen.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from tollway.chat.effort import effort_of
from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, Reasoning
from tollway.providers.anthropic.models import Abilities, abilities
from tollway.providers.anthropic.thinking import thinking_fields
from tollway.providers.field_names import field_name

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
        claude: whether it is Anthropic's, whose own fields and signatures it takes.
        top_k: path of the field, empty if it takes none.
        effort: path of the field for the effort, empty if it takes none.
        efforts: efforts of ours → its own; ``none`` only where thinking can be turned off by it.
        fixed: further fields that turn thinking on.
        off: the fields that turn it off; empty if there are none.
        always_thinks: whether it cannot be turned off.
    """

    claude: bool = False
    top_k: tuple[str, ...] = ()
    effort: tuple[str, ...] = ()
    efforts: dict[str, str] = {}
    fixed: dict[str, Any] = {}
    off: dict[str, Any] = {}
    always_thinks: bool = False


_UNKNOWN = Family()
_EFFORT = ("reasoning_effort",)
_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"claude-", Family(claude=True, top_k=("top_k",))),
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


def add_reasoning(fields: dict[str, Any], chat: ChatRequest, model: str, losses: Losses) -> None:
    """Say in ``additionalModelRequestFields`` how much to think; what the family cannot be asked for is lost."""
    reasoning, family = chat.reasoning, family_of(model)
    if reasoning is None:
        return
    name = field_name(chat.source, "reasoning")
    if family.claude:
        _ask_claude(fields, chat, abilities(model), losses, name)
        return
    if reasoning.summary == "none":
        losses.lose(f"{name}.summary", "The model tells its thoughts, or not, as it does.")
    if reasoning.enabled is False or reasoning.effort == "none":
        _turn_off(fields, family, losses, name)
    elif not (reasoning.enabled or reasoning.effort or reasoning.budget_tokens):
        return
    elif family.effort:
        _set_effort(fields, reasoning, family, losses, name)
    elif reasoning.effort or reasoning.budget_tokens or not family.always_thinks:
        losses.lose(name, "The model cannot be told how much to think.")


def _ask_claude(fields: dict[str, Any], chat: ChatRequest, able: Abilities, losses: Losses, name: str) -> None:
    bound = able.output_tokens if chat.max_output_tokens is None else chat.max_output_tokens
    thinking, effort = thinking_fields(chat, able, bound)
    if thinking is not None:
        fields["thinking"] = thinking if able.adapts else {key: thinking[key] for key in thinking if key != "display"}
    elif chat.reasoning is not None and chat.reasoning.enabled and not able.thinks:
        losses.lose(name, "The model does not think.")
    if effort and able.adapts:
        fields["output_config"] = {"effort": effort}
    elif effort and thinking is None:
        losses.lose(name, "The model takes no effort at Bedrock.")


def _set_effort(fields: dict[str, Any], reasoning: Reasoning, family: Family, losses: Losses, name: str) -> None:
    effort = reasoning.effort or (effort_of(reasoning.budget_tokens) if reasoning.budget_tokens else "")
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
