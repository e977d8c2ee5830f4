"""A chat completion's request, for a server of the OpenAI format.

Rules, beside those of `chat_messages`:

- the end user and the labels (``metadata``) are the ledger's: they go on where the provider has a field for the one,
  and stores the answer with the others;
- a tier that means the usual price is left out where there are none;
- thinking that is switched off is told only to servers that have a word for it, and how thoughts are to be summed up is
  not told: these servers tell what they tell;
- where only some tools may be called, and the server has no word for that, it is not shown the others.
"""

from typing import Any

import msgspec

from tollway.chat.effort import effort_of, nearest_effort
from tollway.chat.losses import Losses
from tollway.chat.request import ChatRequest, ProviderTool, Reasoning, Tool, ToolChoice
from tollway.providers.adapter import DEFAULT_TIERS
from tollway.providers.chat_form import ChatForm
from tollway.providers.field_names import field_name
from tollway.providers.openai_compatible.chat_messages import mark_of, messages_of, raw_or_empty
from tollway.providers.registry import ProviderSpec
from tollway.providers.wire_names import OPENAI

_encode = msgspec.json.Encoder().encode
_PLAIN = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "logit_bias")
"""Fields that are passed as they are, under their own name."""
_TIERS = {"standard": "default", "standard_only": "default"}
"""Others' words for OpenAI's."""
_USUAL_TIERS = DEFAULT_TIERS | {"standard_only"}
_Object = dict[str, Any]


def chat_body(chat: ChatRequest, *, spec: ProviderSpec, model: str, losses: Losses) -> bytes:
    """The body of the request; what of `chat` is not in it was reported to `losses`."""
    form = spec.form
    body: _Object = {"model": model, "messages": messages_of(chat, form, losses)}
    writer = _Writer(chat, form, losses, body)
    writer.sampling()
    if chat.tools:
        writer.tools()
    writer.format()
    if chat.reasoning is not None:
        writer.reasoning(chat.reasoning)
    writer.labels()
    writer.extras()
    if chat.max_output_tokens is not None:
        body[spec.output_limit_fields[0]] = chat.max_output_tokens
    if chat.stream:
        body["stream"] = True
        if spec.stream_usage_option:
            body["stream_options"] = {"include_usage": True}
    return _encode(body)


class _Writer:
    """Writes the fields of one request into its body."""

    def __init__(self, chat: ChatRequest, form: ChatForm, losses: Losses, body: _Object) -> None:
        self._chat = chat
        self._form = form
        self._losses = losses
        self._body = body

    def lose(self, field: str, why: str = "") -> None:
        """Report a field of the internal form."""
        self._losses.lose(field_name(self._chat.source, field), why)

    def put(self, field: str, value: object, name: str = "") -> None:
        """Write a field if it is said, under its own name or another."""
        if value is None:
            return
        if field in self._form.fields:
            self._body[name or field] = value
        else:
            self.lose(field)

    def sampling(self) -> None:
        """How tokens are chosen."""
        chat = self._chat
        for field in _PLAIN:
            value = getattr(chat, field)
            if value is not None:
                self.put(field, value)
        self.put("stop", chat.stop or None)
        self.put("seed", chat.seed, self._form.seed_field)
        self.put("n", chat.n if chat.n != 1 else None)
        if chat.logprobs:
            self.put("logprobs", value=True)
            if "logprobs" in self._form.fields and chat.top_logprobs is not None:
                self._body["top_logprobs"] = chat.top_logprobs

    def tools(self) -> None:
        """What may be called, and how."""
        chat = self._chat
        if not self._form.tools:
            self.lose("tools")
            return
        choice, heeded = chat.tool_choice, self._form.tool_choice
        written = [tool for index, each in enumerate(chat.tools) if (tool := self._tool(each, index)) is not None]
        if not written or (choice is not None and choice.mode == "none" and not heeded):
            return
        self._body["tools"] = written
        if choice is not None and heeded:
            self._body["tool_choice"] = self._choice(choice)
        elif choice is not None:
            self._choose(choice)
        if chat.parallel_tool_calls is not None and (
            not chat.parallel_tool_calls or "parallel_tool_calls" in self._form.fields
        ):
            self.put("parallel_tool_calls", chat.parallel_tool_calls)

    def _tool(self, tool: Tool | ProviderTool, index: int) -> object | None:
        if isinstance(tool, ProviderTool):
            if tool.source == OPENAI:
                return tool.raw
            self._losses.lose(f"tools.{index}")
            return None
        if tool.custom and not self._form.custom_tools:
            self._losses.lose(f"tools.{index}")
            return None
        described: _Object = {"name": tool.name}
        if tool.description is not None:
            described["description"] = tool.description
        if tool.custom:
            if tool.format is not None:
                described["format"] = tool.format
            return {"type": "custom", "custom": described}
        described["parameters"] = raw_or_empty(tool.parameters)
        if tool.strict is not None:
            described["strict"] = tool.strict
        written: _Object = {"type": "function", "function": described}
        if tool.cache and self._form.cache_marks:
            written["cache_control"] = mark_of(tool.cache)
        return written

    def _choice(self, choice: ToolChoice) -> object:
        kinds = {tool.name: "custom" for tool in self._chat.tools if isinstance(tool, Tool) and tool.custom}
        named = [
            {"type": kind, kind: {"name": name}} for name in choice.names for kind in (kinds.get(name, "function"),)
        ]
        if choice.mode == "tool" and named:
            return named[0]
        mode = self._form.any_tool if choice.mode == "required" else choice.mode
        if not named or choice.mode == "none":
            return mode
        if self._form.custom_tools:
            return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": named}}
        self._keep_only(frozenset(choice.names))
        return mode

    def _choose(self, choice: ToolChoice) -> None:
        """Say which tools may be called by those that are shown; that one must be called cannot be said so."""
        if choice.mode != "auto":
            self.lose("tool_choice")
        if choice.names:
            self._keep_only(frozenset(choice.names))

    def _keep_only(self, names: frozenset[str]) -> None:
        """Only these tools may be called: the others are not shown, where the server has no word for it."""
        self._body["tools"] = [
            tool for tool in self._body["tools"] if not isinstance(tool, dict) or tool["function"]["name"] in names
        ]

    def format(self) -> None:
        """The form of the answer."""
        asked = self._chat.response_format
        if asked is None or asked.kind == "text":
            return
        if asked.kind not in self._form.formats:
            self.lose("response_format")
        elif asked.kind == "json_object":
            self._body["response_format"] = {"type": asked.kind}
        else:
            schema: _Object = {"name": asked.name or "answer"}
            for name in ("description", "schema", "strict"):
                value = getattr(asked, name)
                if value is not None:
                    schema[name] = value
            self._body["response_format"] = {"type": asked.kind, asked.kind: schema}

    def reasoning(self, asked: Reasoning) -> None:
        """How much to think."""
        effort = asked.effort or ("none" if asked.enabled is False else "")
        if not effort and asked.budget_tokens is not None:
            effort = effort_of(asked.budget_tokens)
        if self._form.reasoning == "reasoning":
            self._reasoning_object(asked, effort)
        elif self._form.reasoning == "thinking":
            if effort or asked.enabled:
                self._body["thinking"] = {"type": "disabled" if effort == "none" else "enabled"}
            if asked.effort not in {"", "none"} and self._form.efforts:
                self._body["reasoning_effort"] = nearest_effort(asked.effort, self._form.efforts)
        elif not effort or (effort == "none" and not asked.effort):
            return
        elif self._form.reasoning:
            self._body["reasoning_effort"] = nearest_effort(effort, self._form.efforts)
        else:
            self.lose("reasoning")

    def _reasoning_object(self, asked: Reasoning, effort: str) -> None:
        written: _Object = {}
        if asked.budget_tokens is not None:
            written["max_tokens"] = asked.budget_tokens
        elif effort and asked.enabled is not False:
            written["effort"] = nearest_effort(effort, self._form.efforts)
        if asked.enabled is not None:
            written["enabled"] = asked.enabled
        if asked.summary == "none":
            written["exclude"] = True
        if written:
            self._body["reasoning"] = written

    def labels(self) -> None:
        """Who asks, for what, and what else there is to say."""
        chat = self._chat
        name, _, member = self._form.user_field.partition(".")
        if chat.user and name:
            self._body[name] = {member: chat.user} if member else chat.user
        if chat.service_tier and ("service_tier" in self._form.fields or chat.service_tier not in _USUAL_TIERS):
            self.put("service_tier", _TIERS.get(chat.service_tier, chat.service_tier))
        self.put("verbosity", chat.verbosity or None)
        if chat.modalities not in {(), ("text",)}:
            self.put("modalities", chat.modalities)
        if chat.audio is not None and "modalities" in self._form.fields:
            self._body["audio"] = chat.audio
        self.put("prediction", chat.prediction)

    def extras(self) -> None:
        """What only callers of the same format know."""
        chat = self._chat
        for name, value in chat.extras.items():
            if chat.source == OPENAI:
                self._body[name] = value
            else:
                self._losses.lose(name)
        stored = chat.extras.get("store")
        if chat.metadata and chat.source == OPENAI and stored is not None and bytes(stored) == b"true":
            self._body["metadata"] = chat.metadata
