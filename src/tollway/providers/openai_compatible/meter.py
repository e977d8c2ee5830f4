"""How what is no text is counted: pictures, speech, sound. One meter a kind; pure."""

from typing import Any, Protocol

import msgspec

from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, tolerant
from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.registry import ProviderSpec
from tollway.routing.call import Call

_COUNT_MAX = 10_000
_decode = tolerant(msgspec.json.Decoder().decode)


class Meter(Protocol):
    """Counts the requests of one surface."""

    @property
    def ends(self) -> frozenset[str]:
        """The types of events that tell what was counted."""
        ...

    def bound(self, call: Call, *, model: str) -> RequestBound:
        """The most that the provider may count.

        Raises:
            InvalidRequestError: a field that bounds it is of the wrong type.
        """
        ...

    def is_reply(self, call: Call, body: bytes) -> bool:
        """Whether a whole reply is one."""
        ...

    def usage(self, call: Call, body: bytes, *, spec: ProviderSpec, model: str) -> Usage | None:
        """What a whole reply, or an event that tells it, says was counted; ``None`` if that is an estimate's matter."""
        ...

    def estimate(self, call: Call, texts: list[str], *, model: str) -> Usage:
        """Our own count of the request and of the texts that came back."""
        ...


def media_bound(  # every unit of what is no text
    call: Call,
    *,
    input_tokens: int = 0,
    extra_output_tokens: int = 0,
    image_input: bool = False,
    audio_input: bool = False,
    images: int = 0,
    characters: int = 0,
    audio_seconds: int = 0,
    boundless: str = "",
    boundless_output: str = "",
) -> RequestBound:
    """A bound of what no field of tokens bounds; see `RequestBound`."""
    return RequestBound(
        input_tokens,
        1 if boundless_output else 0,
        extra_output_tokens,
        audio_input,
        image_input,
        other_output=True,
        searches=0,
        images=images,
        audio_seconds=audio_seconds,
        characters=characters,
        text_bytes=call.text_bytes,
        text_only=False,
        output_tokens=0,
        heeded=True,
        longest=None,
        service_tier="",
        boundless=boundless,
        boundless_output=boundless_output,
    )


def text_field(call: Call, name: str) -> str:
    """A field that is a text; empty if it is absent.

    Raises:
        InvalidRequestError: it is something else.
    """
    value = _value(call, name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"`{name}` must be a string.", param=name)
    return value or ""


def count_field(call: Call, name: str, default: int) -> int:
    """A field that is a whole number from 0 on, in a form as a text.

    Raises:
        InvalidRequestError: it is something else.
    """
    value = _value(call, name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and call.form is not None:
        value = int(value[:10])
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _COUNT_MAX:
        raise InvalidRequestError(f"`{name}` must be a whole number up to {_COUNT_MAX}.", param=name)
    return value


def json_object(body: bytes) -> dict[str, Any] | None:
    """A JSON object; ``None`` if it is none."""
    try:
        found = _decode(body)
    except MALFORMED:
        return None
    return found if isinstance(found, dict) else None


def _value(call: Call, name: str) -> Any:
    raw = call.fields.get(name)
    try:
        return None if raw is None else _decode(raw)
    except MALFORMED:
        raise InvalidRequestError(f"`{name}` is not valid JSON.", param=name) from None
