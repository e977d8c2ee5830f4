"""A request to Anthropic's Messages API in the internal form. Source: https://platform.claude.com/docs/en/api/messages.

Rules: an automatic mark of a cache (``cache_control`` of the request) stands at the last part; the service tier
``standard_only`` is ``default``; ``output_format`` is the older name of ``output_config.format``. What asks for nothing
is no loss: tools that are loaded at once and called by the model itself, and ``context_management`` that keeps all
thoughts (https://platform.claude.com/docs/en/build-with-claude/context-editing), as Claude Code sends it. Nor is a
hint of how a call's arguments are cut in a stream (``eager_input_streaming``).
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tollway.api.dialects.anthropic_content import cache_of, read_content, read_messages
from tollway.api.dialects.members import Members, text_of, wrong
from tollway.chat.losses import Losses
from tollway.chat.message import Message, OpaquePart, ThinkingPart
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.json_object import MALFORMED
from tollway.providers.anthropic.names import SOURCE
from tollway.routing.call import Call

_TIERS = {"standard_only": "default"}
_SUMMARIES = {"summarized": "auto", "omitted": "none"}
_CHOICES: dict[str, Literal["auto", "none", "required", "tool"]] = {
    "auto": "auto",
    "none": "none",
    "any": "required",
    "tool": "tool",
}
_CUSTOM = frozenset({"", "custom"})
_EDITS, _CLEARS_THOUGHTS = "context_management", "clear_thinking_"


def to_chat(call: Call, losses: Losses) -> ChatRequest:
    """See `tollway.chat.dialect.ChatDialect.to_chat`."""
    request = Members(call.fields.copy())
    messages = [*_system(request, losses), *read_messages(request.list("messages"), losses)]
    _mark_last(request, messages)
    choice, parallel = _tool_choice(request, losses)
    response_format, reasoning = _output(request, losses)
    made = ChatRequest(
        source=SOURCE,
        messages=tuple(messages),
        tools=tuple(_tool(raw, f"tools.{index}", losses) for index, raw in enumerate(request.list("tools"))),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        max_output_tokens=request.integer("max_tokens"),
        temperature=request.number("temperature"),
        top_p=request.number("top_p"),
        top_k=request.integer("top_k"),
        stop=tuple(text_of(raw, f"stop_sequences.{i}") for i, raw in enumerate(request.list("stop_sequences"))),
        response_format=response_format,
        reasoning=reasoning,
        service_tier=_tier(request.text("service_tier")),
        user=_user(request, losses),
        stream=call.stream,
    )
    request.ignore("model", "stream")
    if _edits_nothing(call.fields.get(_EDITS)):
        request.ignore(_EDITS)
    made.extras |= request.rest()
    return made


class _Edit(msgspec.Struct, forbid_unknown_fields=True):
    type: str = ""
    keep: Any = None


class _Edits(msgspec.Struct, forbid_unknown_fields=True):
    edits: list[_Edit] = []


_decode_edits = msgspec.json.Decoder(_Edits).decode


def _edits_nothing(raw: Raw | None) -> bool:
    """Whether ``context_management`` leaves the dialogue as it is."""
    if raw is None:
        return False
    try:
        edits = _decode_edits(raw).edits
    except MALFORMED:
        return False
    return all(edit.type.startswith(_CLEARS_THOUGHTS) and edit.keep == "all" for edit in edits)


def _mark_last(request: Members, messages: list[Message]) -> None:
    """Mark the last part for the cache, if the request has a mark and the part can have one."""
    last = messages[-1] if messages else None
    if last is None or not last.parts or isinstance(last.parts[-1], OpaquePart | ThinkingPart):
        return
    automatic = cache_of(request)
    if automatic:
        messages[-1] = replace(last, parts=(*last.parts[:-1], replace(last.parts[-1], cache=automatic)))


def _tier(told: str) -> str:
    return _TIERS.get(told, told)


def _system(request: Members, losses: Losses) -> list[Message]:
    raw = request.raw("system")
    return [] if raw is None else [Message("system", tuple(read_content(raw, "system", losses)))]


def _user(request: Members, losses: Losses) -> str:
    metadata = request.members("metadata")
    if metadata is None:
        return ""
    user = metadata.text("user_id")
    metadata.lose_rest(losses)
    return user


def _tool(raw: Raw, path: str, losses: Losses) -> Tool | ProviderTool:
    members = Members.of(raw, path)
    kind = members.text("type")
    if kind not in _CUSTOM:
        return ProviderTool(source=SOURCE, kind=kind, raw=Raw(bytes(raw)))
    description = members.raw("description")
    tool = Tool(
        name=members.required_text("name"),
        description=None if description is None else text_of(description, members.at("description")),
        parameters=members.raw("input_schema"),
        strict=members.flag("strict"),
        cache=cache_of(members),
    )
    if members.flag("defer_loading"):
        losses.lose(members.at("defer_loading"))
    if any(bytes(each) != b'"direct"' for each in members.list("allowed_callers")):
        losses.lose(members.at("allowed_callers"))
    members.ignore("eager_input_streaming")
    members.lose_rest(losses)
    return tool


def _tool_choice(request: Members, losses: Losses) -> tuple[ToolChoice | None, bool | None]:
    """Which tools, and whether several at once."""
    choice = request.members("tool_choice")
    if choice is None:
        return None, None
    kind = choice.text("type")
    one = choice.flag("disable_parallel_tool_use")
    parallel = None if one is None else not one
    mode = _CHOICES.get(kind)
    if mode is None:
        raise wrong("tool_choice.type", "`auto`, `any`, `tool` or `none`")
    names = (choice.required_text("name"),) if mode == "tool" else ()
    choice.lose_rest(losses)
    return ToolChoice(mode, names), parallel


def _output(request: Members, losses: Losses) -> tuple[ResponseFormat | None, Reasoning | None]:
    """The form of the answer, and how much to think."""
    config = request.members("output_config")
    wanted = request.members("output_format")
    effort = ""
    if config is not None:
        effort = config.text("effort")
        wanted = config.members("format") or wanted
        config.lose_rest(losses)
    return (_format(wanted, losses) if wanted is not None else None), _reasoning(request, effort, losses)


def _format(wanted: Members, losses: Losses) -> ResponseFormat:
    if wanted.text("type") != "json_schema":
        raise wrong(wanted.at("type"), "`json_schema`")
    made = ResponseFormat(kind="json_schema", name="answer", schema=wanted.raw("schema"), strict=True)
    wanted.lose_rest(losses)
    return made


def _reasoning(request: Members, effort: str, losses: Losses) -> Reasoning | None:
    thinking = request.members("thinking")
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    kind = thinking.text("type")
    if kind == "disabled":
        made = Reasoning(enabled=False, effort=effort)
    elif kind in {"enabled", "adaptive"}:
        made = Reasoning(
            enabled=True,
            effort=effort,
            budget_tokens=thinking.integer("budget_tokens"),
            summary=_SUMMARIES.get(thinking.text("display"), ""),
        )
    else:
        losses.lose("thinking.type")
        return Reasoning(effort=effort) if effort else None
    thinking.lose_rest(losses)
    return made


def user_of(fields: dict[str, Raw]) -> str:
    """The end user that the caller names, empty if none: ``metadata.user_id``. Never raises."""
    raw = fields.get("metadata")
    if raw is None:
        return ""
    try:
        return _decode_metadata(raw).user_id or ""
    except MALFORMED:
        return ""


class _Metadata(msgspec.Struct):
    user_id: str | None = None


_decode_metadata = msgspec.json.Decoder(_Metadata).decode
