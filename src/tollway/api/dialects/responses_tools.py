"""Tools of the Responses API: they have no ``function`` object around them, and may stand in a namespace."""

import msgspec
from msgspec import Raw

from tollway.api.dialects.members import Members, is_text, text_of, wrong
from tollway.api.dialects.responses_input import NAMESPACE_SEPARATOR
from tollway.api.dialects.responses_signature import SOURCE
from tollway.chat.losses import Losses
from tollway.chat.request import ProviderTool, Tool, ToolChoice
from tollway.json_object import MALFORMED, tolerant

_MODES = frozenset({"auto", "none", "required"})
_NAMED = frozenset({"function", "custom"})


def tools_of(raws: list[Raw], losses: Losses) -> tuple[Tool | ProviderTool, ...]:
    """The tools.

    Raises:
        InvalidRequestError, UnsupportedFieldError: as of `tollway.api.dialects.responses_input.messages_of`.
    """
    found: list[Tool | ProviderTool] = []
    for index, raw in enumerate(raws):
        _add(found, raw, f"tools.{index}", losses, namespace="")
    return tuple(found)


def _add(found: list[Tool | ProviderTool], raw: Raw, path: str, losses: Losses, *, namespace: str) -> None:
    tool = Members.of(raw, path)
    kind = tool.required_text("type")
    if kind == "function":
        found.append(_function(tool, namespace))
    elif kind == "custom":
        found.append(_custom(tool, namespace))
    elif kind == "namespace":
        name = tool.required_text("name")
        for index, inner in enumerate(tool.list("tools")):
            _add(found, inner, f"{path}.tools.{index}", losses, namespace=name)
        tool.ignore("description")
    else:
        found.append(ProviderTool(source=SOURCE, kind=kind, raw=raw))
        return
    tool.ignore("defer_loading", "allowed_callers", "output_schema")  # how OpenAI's own tools find and call it
    tool.lose_rest(losses)


def _function(tool: Members, namespace: str) -> Tool:
    return Tool(
        name=_name(tool, namespace),
        description=tool.text("description") or None,
        parameters=tool.raw("parameters"),
        strict=tool.flag("strict"),
    )


def _custom(tool: Members, namespace: str) -> Tool:
    return Tool(
        name=_name(tool, namespace),
        description=tool.text("description") or None,
        custom=True,
        format=tool.raw("format"),
    )


def _name(tool: Members, namespace: str) -> str:
    name = tool.required_text("name")
    return f"{namespace}{NAMESPACE_SEPARATOR}{name}" if namespace else name


def tool_choice_of(raw: Raw | None, losses: Losses) -> ToolChoice | None:
    """Which tools may be called.

    Raises:
        InvalidRequestError, UnsupportedFieldError: as of `tools_of`.
    """
    if raw is None:
        return None
    if is_text(raw):
        return _mode(text_of(raw, "tool_choice"), "tool_choice")
    choice = Members.of(raw, "tool_choice")
    kind = choice.required_text("type")
    if kind in _NAMED:
        return ToolChoice("tool", (choice.required_text("name"),))
    if kind != "allowed_tools":
        losses.lose("tool_choice")
        return None
    names = []
    for index, tool in enumerate(choice.list("tools")):
        members = Members.of(tool, f"tool_choice.tools.{index}")
        if members.required_text("type") in _NAMED:
            names.append(members.required_text("name"))
        else:
            losses.lose(f"tool_choice.tools.{index}")
    mode = _mode(choice.text("mode") or "auto", "tool_choice.mode")
    return ToolChoice(mode.mode, tuple(names))


def _mode(mode: str, path: str) -> ToolChoice:
    if mode not in _MODES:
        raise wrong(path, "auto, none, required or an object")
    return ToolChoice(mode)  # type: ignore[arg-type]  # as the line above says


class _Named(msgspec.Struct):
    type: str = ""
    name: str = ""
    tools: "list[_Named]" = []


_decode = tolerant(msgspec.json.Decoder(list[_Named]).decode)


def namespaces_of(raw: Raw | None) -> dict[str, tuple[str, str]]:
    """Name as a provider knows it → namespace and name, of the tools that have one."""
    if raw is None or b'"namespace"' not in bytes(raw):
        return {}
    try:
        tools = _decode(raw)
    except MALFORMED:
        return {}
    return {
        f"{space.name}{NAMESPACE_SEPARATOR}{tool.name}": (space.name, tool.name)
        for space in tools
        if space.type == "namespace"
        for tool in space.tools
    }
