"""A refusal in the OpenAI dialect: ``{"error": {message, type, param, code}}``, or whatever a server sends instead."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.failure import MESSAGE_MAX_CHARS, failure_by_status
from tollway.routing.failure import Failure


class _Error(msgspec.Struct):
    message: Any = ""
    type: Any = ""
    code: Any = ""


class _Body(msgspec.Struct):
    error: _Error | str


class _Enveloped(msgspec.Struct):
    error: msgspec.Raw


_decode = tolerant(msgspec.json.Decoder(_Body).decode)
_decode_envelope = tolerant(msgspec.json.Decoder(_Enveloped).decode)
_decode_error = tolerant(msgspec.json.Decoder(_Error | str | None).decode)
_encode = msgspec.json.Encoder().encode


def classify(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
    """What a refusal means."""
    try:
        error = _decode(body).error
    except MALFORMED:
        text = body[: 4 * MESSAGE_MAX_CHARS].decode(errors="replace")
        return failure_by_status(status, headers, message=text)
    if isinstance(error, str):
        return failure_by_status(status, headers, message=error)
    code = " ".join(str(part) for part in (error.code, error.type) if part)
    return failure_by_status(status, headers, message=str(error.message or ""), code=code)


def words_of(error: bytes | msgspec.Raw) -> tuple[str, str] | None:
    """The message of an ``error`` object and its code or type; ``None`` if it is null."""
    try:
        found = _decode_error(error)
    except MALFORMED:
        return "", ""
    if found is None or isinstance(found, str):
        return None if found is None else (found, "")
    return str(found.message or ""), str(found.type or found.code or "")


def enveloped(failure: Failure, body: bytes, *, provider: str) -> bytes:
    """The body as it is if it has the envelope, else its text put into one."""
    try:
        _decode_envelope(body)
    except MALFORMED:
        message = f"Provider {provider!r} answered {failure.status}: {failure.message}"
        return _encode(
            {"error": {"message": message, "type": "upstream_error", "param": None, "code": "upstream_error"}}
        )
    return body
