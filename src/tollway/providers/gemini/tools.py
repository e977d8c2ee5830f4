"""``tools`` and ``toolConfig``.

Source: https://ai.google.dev/api/caching#FunctionDeclaration. Schemas pass as they came, in ``parametersJsonSchema``.
A tool whose arguments must obey their schema makes the mode ``VALIDATED`` where it would be ``AUTO``; other modes
validate in any case.

A search of the web by another dialect's name is Google's (https://ai.google.dev/gemini-api/docs/google-search): what it
finds comes as citations. How to search is lost, as Gemini decides that by itself. Beside the caller's tools the Gemini
API wants such a tool announced from Gemini 3 on (https://ai.google.dev/gemini-api/docs/tool-combination).
"""

import re
from typing import Any

from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, ProviderTool, Tool
from tollway.json_object import MALFORMED, decode_object
from tollway.providers.field_names import field_name
from tollway.providers.gemini.schema import ABSENT
from tollway.providers.wire_names import ANTHROPIC, GEMINI, OPENAI, RESPONSES

SEARCH_FIELD = "web_search_options"
"""Chat completions ask for a search of the web with it."""
_SEARCH = re.compile(r"web_search(_preview)?(_[0-9_]+)?")
"""What the other dialects call such a tool, some with a date."""
_SEARCHERS = frozenset({OPENAI, RESPONSES, ANTHROPIC})
_NO_OPTIONS = frozenset({"type", "name"})
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}


def write_tools(chat: ChatRequest, losses: Losses, *, announces: bool) -> dict[str, Any]:
    """Both fields, as far as they are needed.

    Args:
        chat: the request.
        losses: told what Gemini has no words for.
        announces: whether Google's tools beside the caller's must be announced.
    """
    declarations: list[dict[str, Any]] = []
    tools: list[Any] = []
    for place, tool in enumerate(chat.tools):
        if isinstance(tool, ProviderTool) and tool.source == GEMINI:
            tools.append(tool.raw)
        elif isinstance(tool, ProviderTool) and tool.source in _SEARCHERS and _SEARCH.fullmatch(tool.kind):
            tools.append(_search(tool.raw, f"tools.{place}", losses))
        elif isinstance(tool, ProviderTool) or tool.custom:
            losses.lose(f"tools.{place}")
        else:
            declarations.append(_declaration(tool))
    if declarations:
        tools.insert(0, {"functionDeclarations": declarations})
    if SEARCH_FIELD in chat.extras:
        tools.append(_search(chat.extras[SEARCH_FIELD], SEARCH_FIELD, losses))
    if chat.parallel_tool_calls is False and declarations:
        losses.lose(field_name(chat.source, "parallel_tool_calls"), "Gemini may always call several tools at once.")
    written: dict[str, Any] = {"tools": tools} if tools else {}
    config = _calling_config(chat) if declarations else None
    if config is not None:
        written["toolConfig"] = {"functionCallingConfig": config}
    if announces and declarations and len(tools) > 1:
        written.setdefault("toolConfig", {})["includeServerSideToolInvocations"] = True
    return written


def _declaration(tool: Tool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        declaration["description"] = tool.description
    if tool.parameters is not None:
        declaration["parametersJsonSchema"] = tool.parameters
    return declaration


def _search(raw: Raw, path: str, losses: Losses) -> dict[str, Any]:
    try:
        options = decode_object(raw)
    except MALFORMED:
        losses.lose(path)
        options = {}
    for name, value in options.items():
        if name not in _NO_OPTIONS and value != ABSENT:
            losses.lose(f"{path}.{name}")
    return {"googleSearch": {}}


def _calling_config(chat: ChatRequest) -> dict[str, Any] | None:
    strict = any(isinstance(tool, Tool) and tool.strict for tool in chat.tools)
    choice = chat.tool_choice
    if choice is None:
        return {"mode": "VALIDATED"} if strict else None
    mode = _MODES[choice.mode]
    if mode == "AUTO" and (strict or choice.names):
        mode = "VALIDATED"
    return {"mode": mode} | ({"allowedFunctionNames": list(choice.names)} if choice.names else {})
