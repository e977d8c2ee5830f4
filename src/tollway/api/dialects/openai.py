"""The OpenAI dialect: chat completions, completions and embeddings. Pure.

Source: OpenAI's published OpenAPI description (`openai/openai-openapi`).
"""

from collections.abc import Sequence

import msgspec

from tollway.constants import TAG_NAME_MAX_CHARS, TAG_VALUE_MAX_CHARS, TAGS_MAX
from tollway.errors import InvalidRequestError, MalformedBodyError, TollwayError
from tollway.routing.call import Call
from tollway.routing.json_object import decode_object, tolerant

_decode_text = msgspec.json.Decoder(str).decode
_read_text = tolerant(_decode_text)
_encode = msgspec.json.Encoder().encode

_MODEL_MAX_CHARS = 512


class _Message(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class _Envelope(msgspec.Struct):
    error: _Message


def parse(body: bytes, *, surface: str, required: Sequence[str], tags_header: str = "") -> Call:
    """Read a request body.

    Args:
        body: JSON as it came.
        surface: name of the surface.
        required: fields that must be there besides ``model``.
        tags_header: value of ``x-tollway-tags``.

    Raises:
        MalformedBodyError: not a JSON object in UTF-8.
        InvalidRequestError: a field that Tollway itself needs is absent or of the wrong type.
    """
    try:
        fields = decode_object(body)
        body.isascii() or body.decode()  # the decoder does not look into values that stay raw
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBodyError(
            f"The body is not a JSON object: {_cause(error)}.", next_step="Send one JSON object in UTF-8."
        ) from None
    for name in required:
        if name not in fields:
            raise _absent(name)
    model = _text(fields, "model")
    if not model:
        raise _absent("model")
    if len(model) > _MODEL_MAX_CHARS:
        raise InvalidRequestError(f"`model` is longer than {_MODEL_MAX_CHARS} characters.", param="model")
    if not model.isprintable():
        raise InvalidRequestError("`model` holds characters that cannot be printed.", param="model")
    stream = _flag(fields, "stream")
    return Call(
        surface=surface,
        model=model,
        fields=fields,
        body=body,
        stream=stream,
        wants_usage=stream and _wants_usage(fields),
        user_tag=_user_tag(fields),
        tags=_tags(fields, tags_header) if tags_header or "metadata" in fields else (),
    )


class OpenAIDialect:
    """The dialect as what its surfaces share."""

    name = "chat"

    def error_body(self, error: TollwayError) -> bytes:
        """See `error_body` of this module."""
        return error_body(error)

    def error_event(self, error: TollwayError) -> bytes:
        """See `error_event` of this module."""
        return error_event(error)


def error_body(error: TollwayError) -> bytes:
    """The error envelope: ``{"error": {message, type, param, code}}``."""
    return _encode(_Envelope(_Message(message=error.text, type=error.kind, param=error.param, code=error.code)))


def error_event(error: TollwayError) -> bytes:
    """The envelope as an event of a stream."""
    return b"data: " + error_body(error) + b"\n\n"


def _cause(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not valid UTF-8"
    return str(error).rstrip(".")


def _absent(name: str) -> InvalidRequestError:
    return InvalidRequestError(f"The field `{name}` is missing.", next_step=f"Send `{name}`.", param=name)


def _text(fields: dict[str, msgspec.Raw], name: str) -> str:
    raw = fields.get(name)
    if raw is None:
        return ""
    try:
        return _decode_text(raw)
    except msgspec.DecodeError:
        raise InvalidRequestError(f"`{name}` must be a string.", param=name) from None


def _flag(fields: dict[str, msgspec.Raw], name: str) -> bool:
    raw = fields.get(name)
    if raw is None:
        return False
    text = bytes(raw)
    if text == b"true":
        return True
    if text in {b"false", b"null"}:
        return False
    raise InvalidRequestError(f"`{name}` must be true or false.", param=name)


def _wants_usage(fields: dict[str, msgspec.Raw]) -> bool:
    return bytes(_members(fields, "stream_options").get("include_usage", b"")) == b"true"


def _user_tag(fields: dict[str, msgspec.Raw]) -> str:
    given = (fields.get(name) for name in ("safety_identifier", "user"))
    texts = (_text_or_none(raw) for raw in given if raw is not None)
    return next((text.replace("\x00", "")[:TAG_VALUE_MAX_CHARS] for text in texts if text), "")


def _members(fields: dict[str, msgspec.Raw], name: str) -> dict[str, msgspec.Raw]:
    """The members of an object, values raw; none if it is something else, which the provider may judge."""
    raw = fields.get(name)
    try:
        return decode_object(raw) if raw is not None else {}
    except (msgspec.DecodeError, RecursionError):
        return {}


def _text_or_none(raw: msgspec.Raw) -> str | None:
    try:
        return _read_text(raw)
    except msgspec.DecodeError:
        return None


def _tags(fields: dict[str, msgspec.Raw], header: str) -> tuple[tuple[str, str], ...]:
    """Tags from ``metadata`` (only its text values) and from the header ``name=value, name=value``."""
    values = {name: _text_or_none(raw) for name, raw in _members(fields, "metadata").items()}
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
    return tuple(sorted((name.replace("\x00", ""), value.replace("\x00", "")) for name, value in tags.items()))
