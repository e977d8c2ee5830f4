"""The body of a request to the Messages API, from the internal form. Any place that serves the models can use it.

Source: https://platform.claude.com/docs/en/api/messages. Rules that lose nothing (see also
`tollway.providers.anthropic.prompt` and `tollway.providers.anthropic.thinking`):

- ``max_tokens`` must be there: where the caller does not say, it is what the model writes at the most.
- A choice among some of the tools offers only those.
- ``metadata`` are the caller's labels: they are tags in the ledger, and go no further; `user` is told.
- A schema's name is a label that the format has no place for, and `strict` is how it always obeys. An answer in JSON
  of any form is asked for in words, at the end of the system prompt.
- The service tier ``default`` is ``standard_only``, and ``flex``, ``priority`` … are lost.
- ``n`` of 1, logprobs turned off, penalties of 0 and the modality ``text`` are how it is anyway.
- A temperature of 1 is what there is anyway; models that take none, or thinking, lose another one.
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, ProviderTool, Tool
from tollway.json_object import MALFORMED, decode_object
from tollway.providers.anthropic.models import Abilities, abilities
from tollway.providers.anthropic.names import SOURCE
from tollway.providers.anthropic.prompt import PromptWriter, cache_control
from tollway.providers.anthropic.thinking import thinking_fields
from tollway.providers.field_names import field_name

_TIERS = {"": "", "auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
JSON_ONLY = "Answer with one JSON object and nothing else."
_MAX_TEMPERATURE = 1.0
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def messages_body(chat: ChatRequest, *, model: str, losses: Losses) -> dict[str, Any]:
    """Everything but the model and ``stream``, which places differ in. Values are Python's, or raw JSON.

    Args:
        chat: the request.
        model: its name at the provider: models differ in what they take.
        losses: told what the format cannot say.
    """
    able = abilities(model)
    max_tokens = chat.max_output_tokens if chat.max_output_tokens is not None else able.output_tokens
    prompt = PromptWriter(chat, able, losses)
    body: dict[str, Any] = {"max_tokens": max_tokens, "messages": prompt.messages}
    system = prompt.system
    if chat.response_format is not None and chat.response_format.kind == "json_object":
        system = [*system, {"type": "text", "text": JSON_ONLY}]
    if system:
        body["system"] = system
    _add_tools(body, chat, losses)
    thinking, effort = thinking_fields(chat, able, max_tokens)
    if thinking is not None:
        body["thinking"] = thinking
    elif chat.reasoning is not None and not able.thinks and chat.reasoning.enabled:
        losses.lose(field_name(chat.source, "reasoning"), "The model does not think.")
    config = _output_config(chat, able, effort, losses)
    if config:
        body["output_config"] = config
    _add_sampling(body, chat, able, losses)
    _add_rest(body, chat, losses)
    _lose(chat, losses)
    return body


def _add_tools(body: dict[str, Any], chat: ChatRequest, losses: Losses) -> None:
    tools = [
        made for index, tool in enumerate(chat.tools) if (made := _tool(tool, f"tools.{index}", losses)) is not None
    ]
    choice = chat.tool_choice
    if choice is not None and choice.names and choice.mode != "tool":
        tools = [tool for tool in tools if not isinstance(tool, dict) or tool["name"] in choice.names]
    if tools:
        body["tools"] = tools
    chosen: dict[str, Any] = {}
    if choice is not None:
        chosen["type"] = _CHOICES[choice.mode]
        if choice.mode == "tool":
            chosen["name"] = choice.names[0] if choice.names else ""
    if chat.parallel_tool_calls is False and tools and chosen.get("type") != "none":
        chosen = {"type": "auto"} | chosen | {"disable_parallel_tool_use": True}
    if chosen:
        body["tool_choice"] = chosen


def _tool(tool: Tool | ProviderTool, path: str, losses: Losses) -> dict[str, Any] | Raw | None:
    if isinstance(tool, ProviderTool):
        if tool.source == SOURCE:
            return tool.raw
        losses.lose(path, "It is a tool of another provider's.")
        return None
    if tool.custom:
        losses.lose(path, "It has no tools that take free text.")
        return None
    made: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters or _NO_PARAMETERS}
    if tool.description is not None:
        made["description"] = tool.description
    if tool.strict is not None:
        made["strict"] = tool.strict
    if tool.cache:
        made["cache_control"] = cache_control(tool.cache)
    return made


def _output_config(chat: ChatRequest, able: Abilities, effort: str, losses: Losses) -> dict[str, Any]:
    config: dict[str, Any] = {"effort": effort} if effort else {}
    wanted = chat.response_format
    if wanted is not None and wanted.kind == "json_schema":
        if not able.schemas or wanted.schema is None:
            losses.lose(field_name(chat.source, "response_format"), "The model does not answer by a schema.")
        else:
            config["format"] = {"type": "json_schema", "schema": _described(wanted.schema, wanted.description)}
    return config


def _described(schema: Raw, description: str | None) -> Raw:
    """The schema with a description, where it has none of its own."""
    if not description:
        return schema
    try:
        fields = decode_object(schema)
    except MALFORMED:
        return schema
    fields.setdefault("description", Raw(msgspec.json.encode(description)))
    return Raw(msgspec.json.encode(fields))


def _add_sampling(body: dict[str, Any], chat: ChatRequest, able: Abilities, losses: Losses) -> None:
    thinks = body.get("thinking", {}).get("type") == "enabled"
    why = "The model takes no sampling parameters."
    if chat.temperature is not None:
        if chat.temperature > _MAX_TEMPERATURE:
            losses.lose("temperature", "It ends at 1 there.")
        elif chat.temperature != _MAX_TEMPERATURE and (thinks or not able.samples):
            losses.lose("temperature", why if not able.samples else "It must be 1 while the model thinks.")
        elif able.samples:
            body["temperature"] = chat.temperature
    for name, value in (("top_p", chat.top_p), ("top_k", chat.top_k)):
        if value is None or (name == "top_p" and value == 1 and not able.samples):
            continue
        if not able.samples or (thinks and name == "top_k"):
            losses.lose(name, why)
        else:
            body[name] = value


def _add_rest(body: dict[str, Any], chat: ChatRequest, losses: Losses) -> None:
    if chat.stop:
        body["stop_sequences"] = list(chat.stop)
    if chat.user:
        body["metadata"] = {"user_id": chat.user}
    tier = _TIERS.get(chat.service_tier)
    if tier is None:
        losses.lose("service_tier")
    elif tier:
        body["service_tier"] = tier
    for name, value in chat.extras.items():
        if chat.source == SOURCE:
            body[name] = value
        else:
            losses.lose(name)


def _lose(chat: ChatRequest, losses: Losses) -> None:
    """Report what the format has no words for."""
    for name, given in (
        ("n", chat.n is not None and chat.n > 1),
        ("logprobs", bool(chat.logprobs)),
        ("top_logprobs", bool(chat.top_logprobs)),
        ("seed", chat.seed is not None),
        ("min_p", bool(chat.min_p)),
        ("presence_penalty", bool(chat.presence_penalty)),
        ("frequency_penalty", bool(chat.frequency_penalty)),
        ("logit_bias", bool(chat.logit_bias)),
        ("verbosity", bool(chat.verbosity)),
        ("modalities", any(each != "text" for each in chat.modalities)),
        ("audio", chat.audio is not None),
        ("prediction", chat.prediction is not None),
    ):
        if given:
            losses.lose(field_name(chat.source, name))
