"""Refusals of the Messages API: ``{"type": "error", "error": {type, message}, "request_id"}``.

Source: https://platform.claude.com/docs/en/api/errors.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.failure import MESSAGE_MAX_CHARS, failure_by_status
from tollway.routing.failure import Failure

_BY_STATUS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SERVER_FAULT = 500
_OVERLOADED = 529


class ErrorBody(msgspec.Struct, gc=False):
    """``error``. Attributes: type: its kind; message: for people; code, param: ours, beside what the format has."""

    type: str
    message: str
    code: str | msgspec.UnsetType = msgspec.UNSET
    param: str | msgspec.UnsetType = msgspec.UNSET


class Envelope(msgspec.Struct, gc=False):
    """The whole body."""

    error: ErrorBody
    request_id: str | None = None
    type: str = "error"


class _Told(msgspec.Struct):
    type: Any = ""
    message: Any = ""


class _Body(msgspec.Struct):
    error: _Told


_decode = tolerant(msgspec.json.Decoder(_Body).decode)
_encode = msgspec.json.Encoder().encode


def error_type(status: int) -> str:
    """The kind of error that a status stands for."""
    return _BY_STATUS.get(status) or ("api_error" if status >= _SERVER_FAULT else "invalid_request_error")


def read_error(body: bytes) -> ErrorBody:
    """Kind and words of an error; of a body that is none, its text. Never raises."""
    try:
        told = _decode(body).error
    except MALFORMED:
        return ErrorBody("", body[: 4 * MESSAGE_MAX_CHARS].decode(errors="replace"))
    return ErrorBody(str(told.type or ""), str(told.message or ""))


def classify(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
    """What a refusal means. An error inside a stream has no status: then its kind decides."""
    error = read_error(body)
    if error.type == "overloaded_error":
        status = status if status >= _SERVER_FAULT else _OVERLOADED
    return failure_by_status(status, headers, message=error.message, code=error.type)


def enveloped(failure: Failure, body: bytes, *, provider: str) -> bytes:
    """The body as it is if it has the envelope, else its text put into one."""
    try:
        _decode(body)
    except MALFORMED:
        message = f"Provider {provider!r} answered {failure.status}: {failure.message}"
        return _encode(Envelope(ErrorBody(error_type(failure.status), message, "upstream_error")))
    return body
