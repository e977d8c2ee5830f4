"""Counting speech: by the characters that were spoken, or in tokens for models that are sold so.

Sources: https://platform.openai.com/docs/api-reference/audio/createSpeech and https://platform.openai.com/docs/pricing:
tts-1 and most other models are sold by the character; ``gpt-…`` models by tokens, which only a stream of events tells.
"""

import math

import msgspec

from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import TEMPLATE_TOKENS, RequestBound
from tollway.providers.openai_compatible.meter import json_object, media_bound, text_field
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_all
from tollway.providers.usage.openai import parse_usage
from tollway.routing.call import Call

_SOLD_BY_TOKENS = "gpt-"
"""Beginning of the names of models that are sold by tokens."""
_TOKENS_PER_CHARACTER = 1.4
"""OpenAI prices a minute of gpt-4o-mini-tts at about $0.015, 1,250 tokens; a minute has about 900 characters."""


class SpeechMeter:
    """Counts speech. Satisfies `tollway.providers.openai_compatible.meter.Meter`."""

    ends = frozenset({"speech.audio.done"})

    def bound(self, call: Call, *, model: str) -> RequestBound:
        """See `Meter.bound`. How long a model of tokens speaks has no published bound."""
        if _in_tokens(model):
            tokens = call.text_bytes + TEMPLATE_TOKENS
            return media_bound(call, input_tokens=tokens, boundless_output="model")
        return media_bound(call, characters=max(_characters(call), 1))

    def is_reply(self, call: Call, body: bytes) -> bool:  # noqa: ARG002 -- any bytes are sound
        """See `Meter.is_reply`."""
        return bool(body)

    def usage(self, call: Call, body: bytes, *, spec: ProviderSpec, model: str) -> Usage | None:
        """See `Meter.usage`: the characters of the request, or the tokens that an event told."""
        if not _in_tokens(model):
            return Usage(characters=_characters(call))
        told = json_object(body) if body.startswith(b"{") else None
        parsed = parse_usage(msgspec.json.encode((told or {}).get("usage")), convention=spec.usage)
        return Usage(input=parsed.usage.input_total, audio_output=parsed.usage.output_total) if parsed else None

    def estimate(self, call: Call, texts: list[str], *, model: str) -> Usage:  # noqa: ARG002 -- sound is no text
        """See `Meter.estimate`."""
        if not _in_tokens(model):
            return Usage(characters=_characters(call))
        spoken = math.ceil(_characters(call) * _TOKENS_PER_CHARACTER)
        return Usage(
            input=estimate_all([text_field(call, "input"), text_field(call, "instructions")]), audio_output=spoken
        )


def _in_tokens(model: str) -> bool:
    return model.rpartition("/")[2].startswith(_SOLD_BY_TOKENS)


def _characters(call: Call) -> int:
    return len(text_field(call, "input"))
