"""Counting pictures: by the piece, or in tokens where the provider tells them.

Sources: https://platform.openai.com/docs/guides/image-generation (cost and latency),
https://platform.openai.com/docs/api-reference/images. DALL·E and most other models tell no usage: they are sold by the
piece.
"""

import msgspec
from msgspec.structs import replace

from tollway.json_object import MALFORMED, tolerant
from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import TEMPLATE_TOKENS, RequestBound
from tollway.providers.openai_compatible.media import DENSE_IMAGE_TOKENS_MAX
from tollway.providers.openai_compatible.meter import count_field, media_bound, text_field
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_tokens
from tollway.providers.usage.openai import parse_usage
from tollway.routing.call import Call

_BOUNDED_MODEL = "gpt-image-1"
"""OpenAI states its tokens per picture. Later models write text besides, or pictures of any size: without a bound."""
_TOKENS = {"low": (272, 408), "medium": (1_056, 1_584), "high": (4_160, 6_240)}
"""Quality → tokens of a square picture, and of any other."""
_SQUARE = "1024x1024"
_PARTIAL_TOKENS = 100
"""Of each partial picture in a stream."""
_GIVEN_TOKENS_MAX = 581 + 6_240
"""Of a picture that goes in: 65 and 129 for each of up to 4 tiles, and what high fidelity adds; see
https://developers.openai.com/api/docs/guides/images-vision#calculating-costs."""


class _Usage(msgspec.Struct):
    output_tokens_details: msgspec.Raw = msgspec.Raw(b"null")


class _Reply(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")
    data: list[msgspec.Raw] | None = None
    b64_json: msgspec.Raw = msgspec.Raw(b"")


_decode = tolerant(msgspec.json.Decoder(_Reply).decode)
_decode_usage = tolerant(msgspec.json.Decoder(_Usage | None).decode)


class ImageMeter:
    """Counts pictures. Satisfies `tollway.providers.openai_compatible.meter.Meter`."""

    ends = frozenset({"image_generation.completed", "image_edit.completed"})

    def bound(self, call: Call, *, model: str) -> RequestBound:
        """See `Meter.bound`. What a model of tokens other than gpt-image-1 writes has no published bound."""
        images = max(count_field(call, "n", 1), 1)
        given = len(call.form.files) if call.form is not None else 0
        text_tokens = call.text_bytes + TEMPLATE_TOKENS
        if not _is_bounded(model):
            return media_bound(
                call,
                input_tokens=text_tokens + given * DENSE_IMAGE_TOKENS_MAX,
                image_input=bool(given),
                images=images,
                boundless_output="model",
            )
        return media_bound(
            call,
            input_tokens=text_tokens + given * _GIVEN_TOKENS_MAX,
            extra_output_tokens=images * _tokens_each(call),
            image_input=bool(given),
            boundless="" if call.form is not None or call.surface == "images" else "images",
        )

    def is_reply(self, call: Call, body: bytes) -> bool:  # noqa: ARG002 -- always JSON
        """See `Meter.is_reply`."""
        return _read(body) is not None

    def usage(self, call: Call, body: bytes, *, spec: ProviderSpec, model: str) -> Usage | None:  # noqa: ARG002 -- a meter's
        """See `Meter.usage`: the tokens told, else the pictures counted."""
        reply = _read(body)
        if reply is None:
            return None
        parsed = parse_usage(reply.usage, convention=spec.usage)
        if parsed is not None and parsed.usage.input_total + parsed.usage.output_total:
            return _drawn(parsed.usage, reply.usage)
        pictures = len(reply.data or ()) or int(bool(bytes(reply.b64_json)))
        return Usage(images=pictures) if pictures and not _is_bounded(model) else None

    def estimate(self, call: Call, texts: list[str], *, model: str) -> Usage:  # noqa: ARG002 -- no texts come back
        """See `Meter.estimate`."""
        images = max(count_field(call, "n", 1), 1)
        if not _is_bounded(model):
            return Usage(images=images)
        return Usage(input=estimate_tokens(text_field(call, "prompt")), image_output=images * _tokens_each(call))


def _is_bounded(model: str) -> bool:
    return model.rpartition("/")[2] == _BOUNDED_MODEL


def _tokens_each(call: Call) -> int:
    """The most that one picture of gpt-image-1 counts, with what a stream shows of it before."""
    square, other = _TOKENS.get(text_field(call, "quality"), _TOKENS["high"])
    tokens = square if text_field(call, "size") == _SQUARE else other
    return tokens + count_field(call, "partial_images", 0) * _PARTIAL_TOKENS


def _drawn(usage: Usage, raw: msgspec.Raw) -> Usage:
    """Without details all that came out is pictures."""
    try:
        told = _decode_usage(raw)
    except MALFORMED:
        told = None
    if told is not None and bytes(told.output_tokens_details) != b"null":
        return usage
    return replace(usage, output=0, image_output=usage.output)


def _read(body: bytes) -> _Reply | None:
    try:
        return _decode(body)
    except MALFORMED:
        return None
