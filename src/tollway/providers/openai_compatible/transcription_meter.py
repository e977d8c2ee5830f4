"""Counting sound that is written down or translated: in tokens or by the second.

Sources: https://platform.openai.com/docs/api-reference/audio (usage of a transcription),
https://docs.mistral.ai/api/#tag/audio.transcriptions (``prompt_audio_seconds``),
https://console.groq.com/docs/speech-to-text (``duration`` in ``verbose_json``).
"""

import math
import re
from typing import Any

from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import TEMPLATE_TOKENS, RequestBound
from tollway.providers.openai_compatible.meter import json_object, media_bound, text_field
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.wire import MAX_COUNT
from tollway.routing.call import Call

_TEXT_FORMATS = frozenset({"text", "srt", "vtt"})
"""Values of ``response_format`` with which the reply is no JSON."""
_SECONDS_MAX = 1_000_000
_BYTES_PER_SECOND = 8_000
"""Of compressed sound, where nothing tells how long it is: 64 kbit/s."""
_WAVE_HEADER = slice(0, 12)
_WAVE_RATE = slice(28, 32)
_END = re.compile(r"-->\s*(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,]\d")
"""The end of a line of subtitles: hours, minutes, seconds."""


class TranscriptionMeter:
    """Counts sound. Satisfies `tollway.providers.openai_compatible.meter.Meter`."""

    ends = frozenset({"transcript.text.done"})

    def bound(self, call: Call, *, model: str) -> RequestBound:  # noqa: ARG002 -- of no model's sound
        """See `Meter.bound`. How long sound lasts, its bytes do not bound: silence takes hardly any."""
        tokens = call.text_bytes + TEMPLATE_TOKENS
        return media_bound(call, input_tokens=tokens, audio_input=True, audio_seconds=1, boundless="file")

    def is_reply(self, call: Call, body: bytes) -> bool:
        """See `Meter.is_reply`."""
        return text_field(call, "response_format") in _TEXT_FORMATS or json_object(body) is not None

    def usage(self, call: Call, body: bytes, *, spec: ProviderSpec, model: str) -> Usage | None:  # noqa: ARG002 -- a meter's
        """See `Meter.usage`."""
        told = json_object(body) or {}
        usage = told.get("usage")
        if not isinstance(usage, dict):
            return _lasting(told.get("duration"))
        for seconds in (usage.get("seconds"), usage.get("prompt_audio_seconds")):
            if (lasting := _lasting(seconds)) is not None:
                return lasting
        return _tokens(usage)

    def estimate(self, call: Call, texts: list[str], *, model: str) -> Usage:  # noqa: ARG002 -- by the second in any case
        """See `Meter.estimate`: the end of the last subtitle, else what the size of the file tells."""
        ends = [found for text in texts for found in _END.findall(text)]
        seconds = [int(hours or 0) * 3_600 + int(minutes) * 60 + int(rest) + 1 for hours, minutes, rest in ends]
        return Usage(audio_seconds=max(seconds, default=0) or _file_seconds(call))


def _lasting(seconds: Any) -> Usage | None:
    try:
        lasting = float(seconds)
    except (TypeError, ValueError):
        return None
    return Usage(audio_seconds=math.ceil(lasting)) if 0 <= lasting <= _SECONDS_MAX else None


def _tokens(usage: dict[str, Any]) -> Usage | None:
    """``input_token_details`` says what is sound; without it all is."""
    entered, left = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    if entered is None or left is None:
        return None
    details = usage.get("input_token_details")
    heard = _count(details.get("audio_tokens")) if isinstance(details, dict) else entered
    heard = min(heard or 0, entered)
    return Usage(input=entered - heard, audio_input=heard, output=left)


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count else None


def _file_seconds(call: Call) -> int:
    """About how long the files last."""
    total = 0
    for _, start, end in call.form.files if call.form is not None else ():
        head = call.body[start : start + _WAVE_RATE.stop]
        is_wave = head[_WAVE_HEADER].startswith(b"RIFF") and head[_WAVE_HEADER].endswith(b"WAVE")
        rate = int.from_bytes(head[_WAVE_RATE], "little") if is_wave else 0
        total += math.ceil((end - start) / (rate or _BYTES_PER_SECOND))
    return max(total, 1)
