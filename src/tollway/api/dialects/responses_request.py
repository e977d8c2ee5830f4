"""A request of the Responses API as a request of the internal form.

Source: https://platform.openai.com/docs/api-reference/responses/create. Rules that are no losses:

- state is Tollway's: ``store``, ``previous_response_id``, ``conversation``, ``background`` and ``truncation`` were
  heeded before, and ``metadata`` stays in the response; none of them goes to a provider;
- ``prompt_cache_key``, ``prompt_cache_retention`` and ``prompt_cache_options`` are hints that change no answer;
- ``client_metadata``, which Codex sends, are ids of its installation and session;
- ``safety_identifier`` is the end user, as ``user`` was before it;
- ``max_tool_calls`` bounds tools that the provider runs, and each of those is reported as lost by itself;
- encrypted reasoning is always told, whether ``include`` asks for it or not.
"""

from tollway.api.dialects.members import Members, text_of
from tollway.api.dialects.responses_input import messages_of
from tollway.api.dialects.responses_signature import SOURCE
from tollway.api.dialects.responses_tools import tool_choice_of, tools_of
from tollway.chat.losses import Losses
from tollway.chat.message import Message, TextPart
from tollway.chat.request import ChatRequest, Reasoning, ResponseFormat
from tollway.routing.call import Call

_OURS = (
    *("model", "stream", "store", "previous_response_id", "conversation", "background", "truncation", "metadata"),
    *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "max_tool_calls", "client_metadata"),
)
_LOGPROBS = "message.output_text.logprobs"
_ENCRYPTED = "reasoning.encrypted_content"


def to_chat(call: Call, losses: Losses) -> ChatRequest:
    """See `tollway.chat.dialect.ChatDialect.to_chat`."""
    fields = Members(dict(call.fields))
    fields.ignore(*_OURS)
    messages: list[Message] = []
    if instructions := fields.text("instructions"):
        messages.append(Message("system", (TextPart(text=instructions),)))
    said = fields.raw("input")
    asked, more_tools = ([], []) if said is None else messages_of(said, losses)
    top_logprobs = fields.integer("top_logprobs")
    logprobs = _includes(fields, losses) or bool(top_logprobs)
    response_format, verbosity = _text(fields, losses)
    _stream_options(fields, losses)
    identifier, user = fields.text("safety_identifier"), fields.text("user")
    return ChatRequest(
        source=SOURCE,
        messages=(*messages, *asked),
        tools=tools_of(fields.list("tools") + more_tools, losses),
        tool_choice=tool_choice_of(fields.raw("tool_choice"), losses),
        parallel_tool_calls=fields.flag("parallel_tool_calls"),
        max_output_tokens=fields.integer("max_output_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        logprobs=logprobs or None,
        top_logprobs=top_logprobs or None,
        response_format=response_format,
        reasoning=_reasoning(fields, losses),
        verbosity=verbosity,
        service_tier=fields.text("service_tier"),
        user=identifier or user,
        stream=call.stream,
        extras=fields.rest(),
    )


def _includes(fields: Members, losses: Losses) -> bool:
    """Whether log probabilities are asked for. The rest tells of tools that a provider runs."""
    logprobs = False
    for index, raw in enumerate(fields.list("include")):
        name = text_of(raw, f"include.{index}")
        if name == _LOGPROBS:
            logprobs = True
        elif name != _ENCRYPTED:
            losses.lose(f"include.{index}")
    return logprobs


def _text(fields: Members, losses: Losses) -> tuple[ResponseFormat | None, str]:
    text = fields.members("text")
    if text is None:
        return None, ""
    verbosity = text.text("verbosity")
    asked = text.members("format")
    text.lose_rest(losses)
    if asked is None:
        return None, verbosity
    kind = asked.required_text("type")
    if kind == "text":
        return None, verbosity
    if kind == "json_object":
        return ResponseFormat(kind="json_object"), verbosity
    if kind != "json_schema":
        losses.lose("text.format")
        return None, verbosity
    made = ResponseFormat(
        kind="json_schema",
        name=asked.text("name"),
        description=asked.text("description") or None,
        schema=asked.raw("schema"),
        strict=asked.flag("strict"),
    )
    asked.lose_rest(losses)
    return made, verbosity


def _reasoning(fields: Members, losses: Losses) -> Reasoning | None:
    reasoning = fields.members("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.text("effort")
    summary = reasoning.text("summary") or reasoning.text("generate_summary")
    reasoning.ignore("generate_summary")
    reasoning.lose_rest(losses)
    if not effort and not summary:
        return None
    return Reasoning(effort=effort, summary=summary)


def _stream_options(fields: Members, losses: Losses) -> None:
    """Padding against those who measure the traffic: only told off, as none is made."""
    options = fields.members("stream_options")
    if options is None:
        return
    if options.flag("include_obfuscation"):
        losses.lose("stream_options.include_obfuscation")
    options.lose_rest(losses)
