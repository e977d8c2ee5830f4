"""A refusal of Cohere's: ``{"id": …, "message": …}``.

Source: https://docs.cohere.com/reference/errors.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.failure import MESSAGE_MAX_CHARS, failure_by_status
from tollway.routing.failure import Failure, FailureKind

_TRIAL = "trial key"
_PER_MONTH = "month"
_INVALID_TOKEN = 498
"""A word of the request is on the account's list of blocked ones."""


class _Error(msgspec.Struct):
    message: Any = ""


_decode = tolerant(msgspec.json.Decoder(_Error).decode)


def classify(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
    """What a refusal means."""
    try:
        message = str(_decode(body).message or "")
    except MALFORMED:
        message = ""
    message = message or body[: 4 * MESSAGE_MAX_CHARS].decode(errors="replace")
    failure = failure_by_status(status, headers, message=message)
    if status == _INVALID_TOKEN:
        return replace(failure, kind=FailureKind.FILTERED)
    words = message.lower()
    if failure.kind is FailureKind.RATE_LIMITED and _TRIAL in words and _PER_MONTH in words:
        return replace(failure, kind=FailureKind.EXHAUSTED)
    return failure
