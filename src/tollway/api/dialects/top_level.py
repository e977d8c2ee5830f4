"""The top level of a request's body, which all dialects read alike: values stay raw. Pure."""

from collections.abc import Sequence

import msgspec

from tollway.constants import OWN_TAGS, TAG_NAME_MAX_CHARS, TAG_VALUE_MAX_CHARS, TAGS_MAX
from tollway.errors import InvalidRequestError, MalformedBodyError
from tollway.json_object import MALFORMED, decode_object, repeated_name, tolerant

_decode_text = msgspec.json.Decoder(str).decode
_read_text = tolerant(_decode_text)

_MODEL_MAX_CHARS = 512


def read_fields(body: bytes, required: Sequence[str]) -> dict[str, msgspec.Raw]:
    """The members of the body.

    Args:
        body: JSON as it came.
        required: fields that must be there besides ``model``.

    Raises:
        MalformedBodyError: not a JSON object in UTF-8.
        InvalidRequestError: a required field is absent, or one is there twice.
    """
    try:
        fields = decode_object(body)
        body.isascii() or body.decode()  # the decoder does not look into values that stay raw
    except MALFORMED as error:
        raise MalformedBodyError(
            f"The body is not a JSON object: {_cause(error)}.", next_step="Send one JSON object in UTF-8."
        ) from None
    twice = repeated_name(body, fields)
    if twice is not None:
        name = twice[:_MODEL_MAX_CHARS]
        raise InvalidRequestError(
            f"`{name}` is there twice, and providers differ in which one they take.",
            next_step="Send it once.",
            param=name,
        )
    for name in required:
        if name not in fields:
            raise absent(name)
    return fields


def model_of(fields: dict[str, msgspec.Raw]) -> str:
    """The model that is asked.

    Raises:
        InvalidRequestError: it is absent, or is no name.
    """
    model = text_of(fields, "model")
    if not model:
        raise absent("model")
    if len(model) > _MODEL_MAX_CHARS:
        raise InvalidRequestError(f"`model` is longer than {_MODEL_MAX_CHARS} characters.", param="model")
    if not model.isprintable():
        raise InvalidRequestError("`model` holds characters that cannot be printed.", param="model")
    return model


def _cause(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not valid UTF-8"
    return str(error).rstrip(".")


def absent(name: str) -> InvalidRequestError:
    """The error for a required field that is not there."""
    return InvalidRequestError(f"The field `{name}` is missing.", next_step=f"Send `{name}`.", param=name)


def text_of(fields: dict[str, msgspec.Raw], name: str) -> str:
    """A text, empty if it is absent.

    Raises:
        InvalidRequestError: it is something else.
    """
    raw = fields.get(name)
    if raw is None:
        return ""
    try:
        return _decode_text(raw)
    except msgspec.DecodeError:
        raise InvalidRequestError(f"`{name}` must be a string.", param=name) from None


def flag_of(fields: dict[str, msgspec.Raw], name: str) -> bool:
    """True or false; false if it is absent or null.

    Raises:
        InvalidRequestError: it is something else.
    """
    raw = fields.get(name)
    if raw is None:
        return False
    text = bytes(raw)
    if text == b"true":
        return True
    if text in {b"false", b"null"}:
        return False
    raise InvalidRequestError(f"`{name}` must be true or false.", param=name)


def members_of(fields: dict[str, msgspec.Raw], name: str) -> dict[str, msgspec.Raw]:
    """The members of an object, values raw; none if it is something else, which the provider may judge."""
    raw = fields.get(name)
    try:
        return decode_object(raw) if raw is not None else {}
    except MALFORMED:
        return {}


def text_or_none(raw: msgspec.Raw) -> str | None:
    """A text; ``None`` if it is something else, which the provider may judge."""
    try:
        return _read_text(raw)
    except msgspec.DecodeError:
        return None


def tags_of(fields: dict[str, msgspec.Raw], header: str) -> tuple[tuple[str, str], ...]:
    """Tags from ``metadata`` (only its text values) and from the header ``name=value, name=value``."""
    values = {name: text_or_none(raw) for name, raw in members_of(fields, "metadata").items()}
    tags = {name: value for name, value in values.items() if value is not None}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InvalidRequestError(
                "`x-tollway-tags` is not a list of name=value pairs.", next_step="Write it as `team=search, env=prod`."
            )
        tags[name.strip()] = value.strip()
    if len(tags) > TAGS_MAX:
        raise InvalidRequestError(f"The request has {len(tags)} tags; {TAGS_MAX} are allowed.", param="metadata")
    for name, value in tags.items():
        if len(name) > TAG_NAME_MAX_CHARS or len(value) > TAG_VALUE_MAX_CHARS:
            raise InvalidRequestError(
                f"A tag is too long: names have at most {TAG_NAME_MAX_CHARS}, values {TAG_VALUE_MAX_CHARS} characters.",
                param="metadata",
            )
    clean = tuple(sorted((name.replace("\x00", ""), value.replace("\x00", "")) for name, value in tags.items()))
    if any(name.startswith(OWN_TAGS) for name, _ in clean):
        raise InvalidRequestError(
            f"Tags whose names begin with `{OWN_TAGS}` are Tollway's own.",
            next_step="Name yours otherwise.",
            param="metadata",
        )
    return clean
