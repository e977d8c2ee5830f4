"""A request of Converse.

Rules, where it says things in another way than callers do:

- system and developer messages become ``system``, in their order, wherever they stand between others; where there is
  nothing else, they are the user's, as Converse wants a message;
- messages of the same speaker in a row become one, as Converse wants speakers to alternate;
- ``tool_choice`` ``none``: the tools are left out; if calls of them are in the history, where Converse wants them
  declared, Claude is told in its own field, and for others it is lost;
- tools that were called, and are offered no more, are declared as such: by their names, as Converse wants them there;
- tools that are allowed by name: the others are left out;
- labels go to ``requestMetadata`` as far as they have its form, the end user as ``user``;
- a form of the answer is a schema that is always obeyed, whether asked for strictly or not; JSON of any form is asked
  for in words, at the end of ``system``;
- what there is anyway is no loss: one answer, no logprobs, penalties of 0, text;
- fields by Converse's own names (`_OWN_FIELDS`) may stand in any caller's request, and pass as they are. They cannot
  raise the bound of the output, choose faster hardware whose prices are not in the price book, or replace a guardrail
  that the provider's options set.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

import re
from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import Message, TextPart
from tollway.chat.request import ChatRequest, ResponseFormat
from tollway.json_object import MALFORMED
from tollway.providers.anthropic.models import abilities
from tollway.providers.anthropic.request import JSON_ONLY
from tollway.providers.bedrock.blocks import Block, BlockWriter, cache_point
from tollway.providers.bedrock.family import Family, add_reasoning, family_of, set_field
from tollway.providers.bedrock.tools import tool_config
from tollway.providers.field_names import field_name, message_path
from tollway.providers.turns import add_turn, with_a_turn

GUARDRAIL = "guardrail"
GUARDRAIL_VERSION = "guardrail_version"
"""Options of a provider by which every request passes a guardrail."""
_OWN_FIELDS = frozenset({"guardrailConfig", "additionalModelResponseFieldPaths", "promptVariables"})
_SYSTEM = frozenset({"system", "developer"})
_TIERS = frozenset({"priority", "default", "flex", "reserved"})
_METADATA_KEY = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_METADATA_VALUE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_METADATA_MAX = 16
_TEMPERATURE_MAX = 1.0
_UNBENT = 1
"""The value of every sampling parameter that changes nothing."""
_UNSAID = frozenset({b"null", b"false", b"[]"})
"""Values of fields that ask for nothing."""
_BOUNDS = re.compile(r"^max|^n$|num_?generations|^tools$", re.IGNORECASE)
"""Fields of models by which they may generate more than is bounded, or do what is billed apart."""
_STOP_PATHS = ["/stop_sequence", "/delta/stop_sequence"]
"""Where Claude says which sequence ended its answer: whole and streamed."""
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


def converse_body(chat: ChatRequest, *, model: str, options: dict[str, str], losses: Losses) -> dict[str, Any]:
    """The whole body, for `msgspec.json.encode`."""
    family = family_of(model)
    body: dict[str, Any] = {}
    additional: dict[str, Any] = {}
    _add_messages(body, chat, family, losses)
    _add_inference(body, additional, chat, model, losses)
    add_reasoning(additional, chat, model, losses)
    tools = tool_config(chat, family, additional, losses)
    if tools:
        body["toolConfig"] = tools
    _add_format(body, chat.response_format)
    _add_metadata(body, chat)
    _add_tier(body, chat, losses)
    _add_guardrail(body, chat, options)
    _add_extras(body, additional, chat, losses)
    _lose_rest(chat, losses)
    if additional:
        body["additionalModelRequestFields"] = additional
    if chat.stop and family.claude and "additionalModelResponseFieldPaths" not in body:
        body["additionalModelResponseFieldPaths"] = _STOP_PATHS
    return body


def _add_messages(body: dict[str, Any], chat: ChatRequest, family: Family, losses: Losses) -> None:
    writer = BlockWriter(losses, family)
    system: list[Block] = []
    messages: list[dict[str, Any]] = []
    for index, message in enumerate(chat.messages):
        path = message_path(chat, index)
        if message.name:
            losses.lose(f"{path}.name")
        if message.role in _SYSTEM:
            system += _system_blocks(message, path, losses)
            continue
        role = "assistant" if message.role == "assistant" else "user"
        content: list[Block] = []
        for at, part in enumerate(message.parts):
            if len(message.parts) > 1 and type(part) is TextPart and not part.text.strip() and not part.cache:
                continue
            content += writer.write(part, f"{path}.content.{at}")
        add_turn(messages, role, content)
    body["messages"], system = with_a_turn(messages, system)
    if system:
        body["system"] = system


def _system_blocks(message: Message, path: str, losses: Losses) -> list[Block]:
    blocks: list[Block] = []
    for at, part in enumerate(message.parts):
        if not isinstance(part, TextPart):
            losses.lose(f"{path}.content.{at}", "A system prompt is text.")
            continue
        if part.text.strip():
            blocks.append({"text": part.text})
        if part.cache:
            blocks.append(cache_point(part.cache))
    return blocks


def _add_inference(
    body: dict[str, Any], additional: dict[str, Any], chat: ChatRequest, model: str, losses: Losses
) -> None:
    family = family_of(model)
    wanted: dict[str, Any] = {"maxTokens": chat.max_output_tokens, "stopSequences": chat.stop or None}
    warm = chat.temperature is not None and chat.temperature > _TEMPERATURE_MAX
    if warm:
        losses.lose("temperature", "It ends at 1 there.")
    if family.claude and not abilities(model).samples:
        for name, value in (("temperature", chat.temperature), ("top_p", chat.top_p), ("top_k", chat.top_k)):
            if value not in {None, _UNBENT}:
                losses.lose(name, "The model takes none.")
    else:
        wanted |= {"temperature": None if warm else chat.temperature, "topP": chat.top_p}
        if chat.top_k is not None and family.top_k:
            set_field(additional, family.top_k, chat.top_k)
        elif chat.top_k is not None:
            losses.lose(field_name(chat.source, "top_k"))
    inference = {name: value for name, value in wanted.items() if value is not None}
    if inference:
        body["inferenceConfig"] = inference


def _add_format(body: dict[str, Any], wanted: ResponseFormat | None) -> None:
    if wanted is None or wanted.kind == "text":
        return
    if wanted.kind == "json_object" or wanted.schema is None:
        body["system"] = [*body.get("system", ()), {"text": JSON_ONLY}]
        return
    schema: dict[str, Any] = {"schema": bytes(wanted.schema).decode("utf-8", "replace")}
    if wanted.name:
        schema["name"] = wanted.name
    if wanted.description:
        schema["description"] = wanted.description
    body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _add_metadata(body: dict[str, Any], chat: ChatRequest) -> None:
    """The caller's labels as far as Bedrock takes them: they are ours, and no loss."""
    labels = chat.metadata | ({"user": chat.user} if chat.user else {})
    fitting = [
        (key, value)
        for key, value in labels.items()
        if _METADATA_KEY.fullmatch(key) and _METADATA_VALUE.fullmatch(value)
    ]
    if fitting:
        body["requestMetadata"] = dict(fitting[:_METADATA_MAX])


def _add_tier(body: dict[str, Any], chat: ChatRequest, losses: Losses) -> None:
    if chat.service_tier in _TIERS:
        body["serviceTier"] = {"type": chat.service_tier}
    elif chat.service_tier not in {"", "auto"}:
        losses.lose("service_tier", "Bedrock has the tiers priority, default, flex and reserved.")


def _add_guardrail(body: dict[str, Any], chat: ChatRequest, options: dict[str, str]) -> None:
    identifier = options.get(GUARDRAIL, "")
    if identifier:
        guardrail = {
            "guardrailIdentifier": identifier,
            "guardrailVersion": options.get(GUARDRAIL_VERSION, "") or "DRAFT",
        }
        if chat.stream:
            guardrail["streamProcessingMode"] = "sync"  # nothing passes before it was looked at
        body["guardrailConfig"] = guardrail


def _add_extras(body: dict[str, Any], additional: dict[str, Any], chat: ChatRequest, losses: Losses) -> None:
    for name, raw in chat.extras.items():
        if bytes(raw).strip() in _UNSAID:
            continue
        if name in _OWN_FIELDS and name not in body:
            body[name] = raw
        elif name == "additionalModelRequestFields":
            _add_additional(additional, raw, losses)
        elif name == "performanceConfig" and _is_standard(raw):
            body[name] = raw
        else:
            losses.lose(name)


def _add_additional(additional: dict[str, Any], raw: Raw, losses: Losses) -> None:
    """Fields of the model's own. What another field of the caller's says already holds."""
    try:
        fields = _decode_object(raw)
    except MALFORMED:
        losses.lose("additionalModelRequestFields", "It is no object.")
        return
    for name, value in fields.items():
        path = f"additionalModelRequestFields.{name}"
        if _BOUNDS.search(name) or any(_BOUNDS.search(inner) for inner in _names(value)):
            losses.lose(path, "It could raise what the request costs beyond its bound.")
        elif name in additional:
            losses.lose(path, "Another field of the request says it already.")
        else:
            additional[name] = value


def _names(raw: Raw) -> list[str]:
    try:
        return list(_decode_object(raw))
    except MALFORMED:
        return []


def _is_standard(raw: Raw) -> bool:
    try:
        return bytes(_decode_object(raw).get("latency", b"")) == b'"standard"'
    except MALFORMED:
        return False


def _lose_rest(chat: ChatRequest, losses: Losses) -> None:
    """What Converse has no word for. A value that asks for nothing is no loss."""
    for name, asked in (
        ("min_p", chat.min_p),
        ("seed", chat.seed is not None),
        ("presence_penalty", chat.presence_penalty),
        ("frequency_penalty", chat.frequency_penalty),
        ("logit_bias", chat.logit_bias),
        ("n", chat.n not in {None, 1}),
        ("logprobs", chat.logprobs),
        ("top_logprobs", chat.top_logprobs),
        ("verbosity", chat.verbosity not in {"", "medium"}),
        ("modalities", set(chat.modalities) - {"text"}),
        ("audio", chat.audio is not None),
        ("prediction", chat.prediction is not None),
    ):
        if asked:
            losses.lose(field_name(chat.source, name))
