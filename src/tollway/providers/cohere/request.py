"""The body of a request.

Source: https://docs.cohere.com/reference/chat. Rules that lose nothing:

- ``metadata`` are the caller's labels: they are tags in the ledger, and go no further.
- ``top_p`` is kept within 0.01 and 0.99, which is all that Cohere takes.
- A choice among some of the tools offers only those; one tool that is strict makes all of them so.
- An effort of reasoning is a budget of tokens, by `tollway.chat.effort`.
- The name and the strictness of a response's schema are not told; the answer always obeys it.
- ``n`` of 1, penalties of 0 and the modality ``text`` are how it is anyway.
"""

from typing import Any

from tollway.chat.effort import EFFORT_BUDGETS
from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, Tool
from tollway.providers.adapter import DEFAULT_TIERS
from tollway.providers.cohere.messages import MessageWriter
from tollway.providers.field_names import field_name
from tollway.providers.wire_names import COHERE

OWN_FIELDS = frozenset({"documents", "citation_options", "safety_mode", "priority"})
"""Fields that are Cohere's by their name, and mean that whatever dialect they come in."""
_P_MIN, _P_MAX = 0.01, 0.99
_NUMBERS = {"max_output_tokens": "max_tokens", "temperature": "temperature", "top_k": "k", "seed": "seed"}
_PENALTY_MAX = 1.0


def build_body(chat: ChatRequest, *, model: str, losses: Losses) -> dict[str, Any]:
    """The whole body."""
    writer = MessageWriter(losses, documents="documents" not in chat.extras)
    body: dict[str, Any] = {"model": model, "messages": writer.write(chat), "stream": chat.stream}
    if writer.documents:
        body["documents"] = writer.documents
    body |= _tools(chat, losses)
    body |= {theirs: value for ours, theirs in _NUMBERS.items() if (value := getattr(chat, ours)) is not None}
    if chat.top_p is not None:
        body["p"] = min(max(chat.top_p, _P_MIN), _P_MAX)
    if chat.stop:
        body["stop_sequences"] = list(chat.stop)
    if chat.logprobs:
        body["logprobs"] = True
    body |= _penalties(chat, losses) | _format(chat, losses)
    if chat.reasoning is not None:
        body |= _thinking(chat.reasoning)
    for name, value in chat.extras.items():
        if name in OWN_FIELDS or chat.source == COHERE:
            body[name] = value
        else:
            losses.lose(name)
    _lose(chat, losses)
    return body


def _tools(chat: ChatRequest, losses: Losses) -> dict[str, Any]:
    choice = chat.tool_choice
    allowed = choice.names if choice is not None else ()
    tools = []
    for place, tool in enumerate(chat.tools):
        if isinstance(tool, ProviderTool) or tool.custom:
            losses.lose(f"tools.{place}")
        elif not allowed or tool.name in allowed:
            tools.append(_tool(tool))
    if not tools:
        return {}
    written: dict[str, Any] = {"tools": tools}
    if any(isinstance(tool, Tool) and tool.strict for tool in chat.tools):
        written["strict_tools"] = True
    if choice is not None and choice.mode != "auto":
        written["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED"
    return written


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters if tool.parameters is not None else {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _penalties(chat: ChatRequest, losses: Losses) -> dict[str, float]:
    written = {}
    for name in ("presence_penalty", "frequency_penalty"):
        value = getattr(chat, name)
        if value is None:
            continue
        if 0 <= value <= _PENALTY_MAX:
            written[name] = value
        else:
            losses.lose(name, "Cohere takes it from 0 to 1.")
    return written


def _format(chat: ChatRequest, losses: Losses) -> dict[str, Any]:
    wanted = chat.response_format
    if wanted is None or wanted.kind == "text":
        return {}
    if wanted.description:
        losses.lose(f"{field_name(chat.source, 'response_format')}.description")
    form: dict[str, Any] = {"type": "json_object"}
    if wanted.schema is not None:
        form["json_schema"] = wanted.schema
    return {"response_format": form}


def _thinking(reasoning: Reasoning) -> dict[str, Any]:
    if reasoning.enabled is False or reasoning.effort == "none":
        return {"thinking": {"type": "disabled"}}
    budget = reasoning.budget_tokens or EFFORT_BUDGETS.get(reasoning.effort)
    if budget is None and not reasoning.enabled:
        return {}
    return {"thinking": {"type": "enabled"} | ({"token_budget": budget} if budget is not None else {})}


def _lose(chat: ChatRequest, losses: Losses) -> None:
    """Report what the format has no words for."""
    for name, given in (
        ("n", chat.n is not None and chat.n > 1),
        ("parallel_tool_calls", chat.parallel_tool_calls is False),
        ("top_logprobs", bool(chat.top_logprobs)),
        ("min_p", bool(chat.min_p)),
        ("logit_bias", bool(chat.logit_bias)),
        ("verbosity", bool(chat.verbosity)),
        ("service_tier", chat.service_tier not in DEFAULT_TIERS),
        ("modalities", any(each != "text" for each in chat.modalities)),
        ("audio", chat.audio is not None),
        ("prediction", chat.prediction is not None),
    ):
        if given:
            losses.lose(field_name(chat.source, name))
