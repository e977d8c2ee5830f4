"""A chat completion's request, in the internal form.

Rules: of ``max_completion_tokens`` and ``max_tokens`` the smaller one holds; ``safety_identifier`` names the end user
before ``user`` does; ``functions`` are tools; hints about caching at the provider (``prompt_cache_key``) and ``store``
speak to OpenAI alone, and say nothing elsewhere unless ``store`` is true.
"""

import msgspec
from msgspec import Raw

from tollway.api.dialects import openai_shapes as shapes
from tollway.api.dialects.openai_chat_messages import messages_of
from tollway.api.dialects.strict import StrictDecoder
from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, ResponseFormat, Tool, ToolChoice
from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED
from tollway.providers.wire_names import OPENAI
from tollway.routing.call import Call

_REQUEST = StrictDecoder(shapes.Request)
_TOOL = StrictDecoder(shapes.Tool)
_KNOWN = frozenset(shapes.Request.__struct_fields__)


class _Kind(msgspec.Struct):
    type: str = "function"


_decode_kind = msgspec.json.Decoder(_Kind).decode


def to_chat(call: Call, losses: Losses) -> ChatRequest:
    """See `tollway.chat.dialect.ChatDialect.to_chat`."""
    asked = _REQUEST.decode(call.body, losses)
    extras = {name: raw for name, raw in call.fields.items() if name not in _KNOWN and bytes(raw) != b"null"}
    if asked.store is True:
        extras["store"] = call.fields["store"]
    if asked.user and asked.safety_identifier and asked.user != asked.safety_identifier:
        extras["user"] = call.fields["user"]
    if asked.stream_options is not None and asked.stream_options.include_obfuscation:
        losses.lose("stream_options.include_obfuscation")
    tools = _tools(asked, losses)
    limits = [limit for limit in (asked.max_completion_tokens, asked.max_tokens) if limit is not None]
    return ChatRequest(
        source=OPENAI,
        messages=messages_of(asked.messages, losses),
        tools=tools,
        tool_choice=_choice(asked) if tools else None,
        parallel_tool_calls=asked.parallel_tool_calls if tools else None,
        max_output_tokens=min(limits) if limits else None,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        min_p=asked.min_p,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        seed=asked.seed,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        logit_bias=asked.logit_bias or None,
        n=None if asked.n == 1 else asked.n,
        logprobs=asked.logprobs or None,
        top_logprobs=asked.top_logprobs if asked.logprobs else None,
        response_format=_format(asked.response_format),
        reasoning=_reasoning(asked),
        verbosity=asked.verbosity or "",
        service_tier=asked.service_tier or "",
        user=asked.safety_identifier or asked.user or "",
        metadata=asked.metadata or {},
        modalities=tuple(asked.modalities or ()),
        audio=_said(asked.audio),
        prediction=_said(asked.prediction),
        stream=call.stream,
        extras=extras,
    )


def _said(raw: Raw) -> Raw | None:
    return None if bytes(raw) == b"null" else raw


def _tools(asked: shapes.Request, losses: Losses) -> tuple[Tool | ProviderTool, ...]:
    found = [_tool(raw, f"tools.{index}", losses) for index, raw in enumerate(asked.tools or ())]
    return tuple(found) + tuple(_function(each) for each in asked.functions or ())


def _tool(raw: Raw, path: str, losses: Losses) -> Tool | ProviderTool:
    tool = _TOOL.attempt(raw)
    if tool is None:
        kind = _kind(raw)
        if kind not in {"function", "custom"}:
            return ProviderTool(source=OPENAI, kind=kind, raw=raw)
        tool = _TOOL.decode(raw, losses, path)
    cache = tool.cache_control.ttl if tool.cache_control is not None else ""
    if tool.type == "custom" and tool.custom is not None:
        format_ = _said(tool.custom.format)
        return Tool(
            name=tool.custom.name, description=tool.custom.description, custom=True, format=format_, cache=cache
        )
    if tool.function is None:
        raise InvalidRequestError(f"`{path}.{tool.type}` is missing.", param=f"{path}.{tool.type}")
    return msgspec.structs.replace(_function(tool.function), cache=cache) if cache else _function(tool.function)


def _kind(raw: Raw) -> str:
    try:
        return _decode_kind(raw).type
    except MALFORMED:
        return "function"  # the strict decoder says what is wrong


def _function(function: shapes.FunctionTool) -> Tool:
    return Tool(
        name=function.name,
        description=function.description,
        parameters=_said(function.parameters),
        strict=function.strict,
    )


def _choice(asked: shapes.Request) -> ToolChoice | None:
    choice = asked.tool_choice
    if choice is None:
        legacy = asked.function_call
        if legacy is None:
            return None
        return _mode(legacy, "function_call") if isinstance(legacy, str) else ToolChoice("tool", (legacy.name,))
    if isinstance(choice, str):
        return _mode(choice, "tool_choice")
    if choice.allowed_tools is not None:
        return ToolChoice(choice.allowed_tools.mode, tuple(_name(each) for each in choice.allowed_tools.tools))
    named = choice.function or choice.custom
    if named is None:
        raise InvalidRequestError("`tool_choice` names no tool.", param="tool_choice")
    return ToolChoice("tool", (named.name,))


def _mode(mode: str, field: str) -> ToolChoice:
    if mode == "any":  # Mistral's word
        mode = "required"
    if mode not in {"auto", "none", "required"}:
        raise InvalidRequestError(f"`{field}` is none of `auto`, `none` and `required`.", param=field)
    return ToolChoice(mode)  # type: ignore[arg-type]  # as the line above says


def _name(tool: shapes.ChosenTool) -> str:
    named = tool.function or tool.custom
    return named.name if named is not None else tool.name or ""


def _format(asked: shapes.ResponseFormat | None) -> ResponseFormat | None:
    if asked is None or asked.type == "text":
        return None
    schema = asked.json_schema
    if asked.type != "json_schema" or schema is None:
        if asked.type == "json_schema":
            raise InvalidRequestError("`response_format.json_schema` is missing.", param="response_format.json_schema")
        return ResponseFormat(kind=asked.type)
    return ResponseFormat(
        kind="json_schema",
        name=schema.name,
        description=schema.description,
        schema=_said(schema.schema),
        strict=schema.strict,
    )


def _reasoning(asked: shapes.Request) -> Reasoning | None:
    """How much to think, by whichever field says it."""
    effort, switch, nested = asked.reasoning_effort or "", asked.thinking, asked.reasoning
    if switch is not None:
        enabled = {"enabled": True, "disabled": False}.get(switch.type)
        return Reasoning(enabled=enabled, effort=effort, budget_tokens=switch.budget_tokens)
    if nested is not None:
        summary = "none" if nested.exclude else nested.summary or ""
        return Reasoning(
            enabled=nested.enabled,
            effort=effort or nested.effort or "",
            budget_tokens=nested.max_tokens,
            summary=summary,
        )
    return Reasoning(effort=effort) if effort else None
