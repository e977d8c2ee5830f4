"""Classify a provider's refusal: by its status first, by its words last. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from tollway.json_object import MALFORMED, decode_object
from tollway.routing.failure import Failure, FailureKind

MESSAGE_MAX_CHARS = 2_000
RETRY_AFTER_MAX_S = 86_400.0
_BY_STATUS = {
    401: FailureKind.CREDENTIAL,
    402: FailureKind.EXHAUSTED,
    403: FailureKind.CREDENTIAL,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMEOUT,
    409: FailureKind.CONFLICT,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}
_SERVER_FAULT = 500
_REFUSALS = range(400, 600)
_UNSTATED = 502
_NO_ERROR = frozenset({b"null", b"false", b'""', b"{}"})
_OF_ANSWERS = frozenset({"object", "choices", "output", "content", "data", "results", "text", "usage"})
"""Members by which an answer is known, also one that tells an error beside what it says."""
_CONTEXT = re.compile(
    r"context.?length|context.?window|maximum context|too many (input )?tokens|prompt is too long|input is too long"
    r"|exceeds? the (maximum|limit).{0,40}tokens|reduce the length|token limit",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content.?(filter|policy|management)|responsible.?ai|safety system|guardrail", re.IGNORECASE)
_EXHAUSTED = re.compile(
    r"insufficient.?(quota|credit|balance|funds)|credit balance|billing|exceeded your current quota|payment required",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,80}(not (found|exist|supported|available)|does not exist)|no such model", re.IGNORECASE
)


class _Error(msgspec.Struct):
    code: int | str | None = None


_decode_code = msgspec.json.Decoder(_Error).decode


def failure_by_status(status: int, headers: Sequence[tuple[str, str]], *, message: str = "", code: str = "") -> Failure:
    """The failure that a refusal tells of.

    Args:
        status: HTTP status.
        headers: of the reply, names in lower case.
        message: the provider's words.
        code: its own code or type.
    """
    words = f"{code} {message[:MESSAGE_MAX_CHARS]}"
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = FailureKind.SERVER if status >= _SERVER_FAULT else _by_words(words)
    elif kind is FailureKind.RATE_LIMITED and _EXHAUSTED.search(words):
        kind = FailureKind.EXHAUSTED
    return Failure(kind, status, message[:MESSAGE_MAX_CHARS], code[:256], retry_after_s(headers))


def status_told(body: bytes) -> int:
    """The status of an error that is told where an answer should be, as some do whose own provider failed.

    502 if it tells none; 0 if the body is no such error.
    """
    try:
        fields = decode_object(body)
        error = fields["error"]
    except (*MALFORMED, KeyError):
        return 0
    if bytes(error) in _NO_ERROR or not _OF_ANSWERS.isdisjoint(fields):
        return 0
    try:
        code = _decode_code(error).code
    except MALFORMED:
        return _UNSTATED
    return code if isinstance(code, int) and code in _REFUSALS else _UNSTATED


def _by_words(words: str) -> FailureKind:
    if _CONTEXT.search(words):
        return FailureKind.CONTEXT
    if _FILTERED.search(words):
        return FailureKind.FILTERED
    if _EXHAUSTED.search(words):
        return FailureKind.EXHAUSTED
    return FailureKind.NOT_FOUND if _NO_MODEL.search(words) else FailureKind.INVALID


def retry_after_s(headers: Sequence[tuple[str, str]]) -> float | None:
    """``retry-after-ms``, or ``retry-after`` in seconds or as a date (RFC 9110, section 10.2.3); at most a day."""
    given = dict(headers)
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = given.get(name, "").strip()
        try:
            seconds = float(text) * unit_s
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return min(seconds, RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(given.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    left_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
    return min(max(left_s, 0.0), RETRY_AFTER_MAX_S)
