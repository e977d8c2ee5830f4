"""Tools of a request of Converse, and which of them may be called.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html
"""

from typing import Any

from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import ToolCallPart
from tollway.chat.request import ChatRequest, ProviderTool, Tool, ToolChoice
from tollway.providers.bedrock.blocks import Block, cache_point
from tollway.providers.bedrock.family import Family
from tollway.providers.field_names import field_name
from tollway.providers.wire_names import BEDROCK

_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_AUTO = ToolChoice("auto")


_OVER = "It was called before, and cannot be called any more."
_NONE = {"type": "none"}


def tool_config(chat: ChatRequest, family: Family, additional: dict[str, Any], losses: Losses) -> dict[str, Any]:
    """``toolConfig``; empty for none.

    Args:
        chat: the request.
        family: of the model.
        additional: ``additionalModelRequestFields``, where Claude takes what Converse has no word for.
        losses: told of what cannot be asked for.
    """
    choice = chat.tool_choice or _AUTO
    called = _called(chat)
    if choice.mode == "none" and not called:
        return {}
    tools = _tools(chat, choice, losses)
    if not tools:
        return _over(called, family, additional)
    config: dict[str, Any] = {"tools": tools}
    native = _native_choice(choice, chat, family, losses)
    if native:
        additional["tool_choice"] = native
    elif choice.mode == "tool" and choice.names:
        config["toolChoice"] = {"tool": {"name": choice.names[0]}}
    elif choice.mode in {"required", "tool"}:
        config["toolChoice"] = {"any": {}}
    return config


def _called(chat: ChatRequest) -> list[str]:
    """Names of the tools that were called in the history: Converse wants them declared."""
    calls = (part for message in chat.messages for part in message.parts if isinstance(part, ToolCallPart))
    return list(dict.fromkeys(call.name for call in calls))


def _over(called: list[str], family: Family, additional: dict[str, Any]) -> dict[str, Any]:
    """Tools of the history that the caller offers no more; empty if there are none."""
    if not called:
        return {}
    if family.claude:
        additional["tool_choice"] = _NONE
    return {"tools": [_tool(Tool(name=name, description=_OVER)) for name in called]}


def _tools(chat: ChatRequest, choice: ToolChoice, losses: Losses) -> list[Block]:
    tools: list[Block] = []
    allowed = choice.names if choice.mode in {"auto", "required"} else ()
    for index, tool in enumerate(chat.tools):
        if isinstance(tool, ProviderTool):
            if tool.source == BEDROCK:
                tools.append(tool.raw)
            else:
                losses.lose(f"tools.{index}", "It is a tool that another provider runs.")
        elif tool.custom:
            losses.lose(f"tools.{index}", "Converse has no tools that take free text.")
        elif not allowed or tool.name in allowed:
            tools.append(_tool(tool))
            if tool.cache:
                tools.append(cache_point(tool.cache))
    return tools


def _tool(tool: Tool) -> Block:
    spec: dict[str, Any] = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": tool.parameters if tool.parameters is not None else _NO_ARGUMENTS}
    if tool.strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def _native_choice(choice: ToolChoice, chat: ChatRequest, family: Family, losses: Losses) -> dict[str, Any]:
    """Claude's own ``tool_choice``, for what Converse cannot say; it is refused beside Converse's."""
    single = chat.parallel_tool_calls is False
    if choice.mode != "none" and not single:
        return {}
    if not family.claude:
        losses.lose(field_name(chat.source, "tool_choice" if choice.mode == "none" else "parallel_tool_calls"))
        return {}
    if choice.mode == "none":
        return _NONE
    native: dict[str, Any] = {"type": {"auto": "auto", "required": "any", "tool": "tool"}[choice.mode]}
    if choice.mode == "tool":
        native["name"] = choice.names[0] if choice.names else ""
    native["disable_parallel_tool_use"] = True
    return native
