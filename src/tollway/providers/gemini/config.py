"""``generationConfig``.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerationConfig. Rules:

- An effort or a budget of reasoning is a ``thinkingLevel`` from Gemini 3 on, and a ``thinkingBudget`` before, by the
  table of `tollway.chat.effort`, within what the model takes
  (https://ai.google.dev/gemini-api/docs/thinking#levels-budgets); none at all is the least that the model can do.
- Thoughts are told where the caller asked for a summary of them, or for thinking as such.
- The detail of images is the resolution of all of them: one that differs from the others is lost.
- The name of a response's schema is not told; the answer always obeys the schema.
"""

from typing import Any

import msgspec

from tollway.chat.effort import EFFORT_BUDGETS, effort_of
from tollway.chat.losses import Losses
from tollway.chat.message import ImagePart, ToolResultPart
from tollway.chat.request import ChatRequest, Reasoning
from tollway.json_object import MALFORMED
from tollway.providers.field_names import field_name, message_path
from tollway.providers.gemini.model import NEW_RULES_FROM, generation

_LEVELS = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
_BUDGET_MAX_TOKENS, _PRO_BUDGET_MAX_TOKENS = 24_576, 32_768
_PRO_BUDGET_MIN_TOKENS = 128
"""What Gemini 2.5 takes; Pro cannot do without: https://ai.google.dev/gemini-api/docs/thinking#set-budget"""
_AUTOMATIC = -1
_RESOLUTIONS = {"low": "MEDIA_RESOLUTION_LOW", "medium": "MEDIA_RESOLUTION_MEDIUM", "high": "MEDIA_RESOLUTION_HIGH"}
_NO_DETAIL = frozenset({"", "auto"})
_NUMBERS = {
    "max_output_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_PCM = "pcm16"


class _Voice(msgspec.Struct):
    voice: str | None = None
    format: str | None = None


_decode_voice = msgspec.json.Decoder(_Voice).decode


def write_config(chat: ChatRequest, *, model: str, losses: Losses) -> dict[str, Any]:
    """The whole object; empty if nothing is to be configured."""
    config: dict[str, Any] = {
        theirs: value for ours, theirs in _NUMBERS.items() if (value := getattr(chat, ours)) is not None
    }
    if chat.stop:
        config["stopSequences"] = list(chat.stop)
    if chat.logprobs:
        config["responseLogprobs"] = True
        if chat.top_logprobs:
            config["logprobs"] = chat.top_logprobs
    if chat.modalities:
        config["responseModalities"] = [modality.upper() for modality in chat.modalities]
    if chat.audio is not None:
        config |= _speech(chat.audio, losses)
    if chat.reasoning is not None:
        config |= _thinking(chat.reasoning, model)
    return config | _format(chat, losses) | _resolution(chat, losses)


def _format(chat: ChatRequest, losses: Losses) -> dict[str, Any]:
    wanted = chat.response_format
    if wanted is None or wanted.kind == "text":
        return {}
    if wanted.description:
        losses.lose(f"{field_name(chat.source, 'response_format')}.description")
    json = {"responseMimeType": "application/json"}
    return json | {"responseJsonSchema": wanted.schema} if wanted.schema is not None else json


def _thinking(reasoning: Reasoning, model: str) -> dict[str, Any]:
    config: dict[str, Any] = {}
    effort = "none" if reasoning.enabled is False else reasoning.effort
    if generation(model) >= NEW_RULES_FROM:
        if reasoning.budget_tokens is not None and effort != "none":
            effort = effort or effort_of(reasoning.budget_tokens)
        if effort in _LEVELS:
            config["thinkingLevel"] = _LEVELS[effort]
    else:
        budget = 0 if effort == "none" else reasoning.budget_tokens or EFFORT_BUDGETS.get(effort)
        if budget is not None:
            least, most = (
                (_PRO_BUDGET_MIN_TOKENS, _PRO_BUDGET_MAX_TOKENS) if "pro" in model else (0, _BUDGET_MAX_TOKENS)
            )
            config["thinkingBudget"] = min(max(budget, least), most)
        elif reasoning.enabled:
            config["thinkingBudget"] = _AUTOMATIC
    told = reasoning.summary != "none" if reasoning.summary else bool(reasoning.enabled)
    if told or reasoning.summary:
        config["includeThoughts"] = told
    return {"thinkingConfig": config} if config else {}


def _speech(audio: msgspec.Raw, losses: Losses) -> dict[str, Any]:
    try:
        wanted = _decode_voice(audio)
    except MALFORMED:
        losses.lose("audio")
        return {}
    if wanted.format not in {None, _PCM}:
        losses.lose("audio.format", "Gemini speaks in pcm16 only.")
    if not wanted.voice:
        return {}
    return {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": wanted.voice}}}}


def _resolution(chat: ChatRequest, losses: Losses) -> dict[str, Any]:
    found: dict[str, str] = {}
    for number, message in enumerate(chat.messages):
        for place, part in enumerate(message.parts):
            inner = part.parts if isinstance(part, ToolResultPart) else (part,)
            for image in inner:
                if isinstance(image, ImagePart) and image.detail not in _NO_DETAIL:
                    found.setdefault(image.detail, f"{message_path(chat, number)}.content.{place}.detail")
    kept = ""
    for detail, path in found.items():
        if detail in _RESOLUTIONS and not kept:
            kept = detail
        else:
            losses.lose(path)
    return {"mediaResolution": _RESOLUTIONS[kept]} if kept else {}
