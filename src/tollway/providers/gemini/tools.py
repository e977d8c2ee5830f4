"""``tools`` and ``toolConfig``.

Source: https://ai.google.dev/api/caching#FunctionDeclaration. Schemas pass as they came, in ``parametersJsonSchema``.
A tool whose arguments must obey their schema makes the mode ``VALIDATED`` where it would be ``AUTO``; other modes
validate in any case.
"""

from typing import Any

from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, ProviderTool, Tool
from tollway.providers.field_names import field_name
from tollway.providers.wire_names import GEMINI

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}


def write_tools(chat: ChatRequest, losses: Losses) -> dict[str, Any]:
    """Both fields, as far as they are needed."""
    declarations: list[dict[str, Any]] = []
    tools: list[Any] = []
    for place, tool in enumerate(chat.tools):
        if isinstance(tool, ProviderTool) and tool.source == GEMINI:
            tools.append(tool.raw)
        elif isinstance(tool, ProviderTool) or tool.custom:
            losses.lose(f"tools.{place}")
        else:
            declarations.append(_declaration(tool))
    if declarations:
        tools.insert(0, {"functionDeclarations": declarations})
    if chat.parallel_tool_calls is False:
        losses.lose(field_name(chat.source, "parallel_tool_calls"), "Gemini may always call several tools at once.")
    written: dict[str, Any] = {"tools": tools} if tools else {}
    config = _calling_config(chat) if declarations else None
    if config is not None:
        written["toolConfig"] = {"functionCallingConfig": config}
    return written


def _declaration(tool: Tool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        declaration["description"] = tool.description
    if tool.parameters is not None:
        declaration["parametersJsonSchema"] = tool.parameters
    return declaration


def _calling_config(chat: ChatRequest) -> dict[str, Any] | None:
    strict = any(isinstance(tool, Tool) and tool.strict for tool in chat.tools)
    choice = chat.tool_choice
    if choice is None:
        return {"mode": "VALIDATED"} if strict else None
    mode = _MODES[choice.mode]
    if mode == "AUTO" and (strict or choice.names):
        mode = "VALIDATED"
    return {"mode": mode} | ({"allowedFunctionNames": list(choice.names)} if choice.names else {})
