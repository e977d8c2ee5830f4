"""A refusal of Google's: ``{"error": {code, message, status, details}}``, alone or in a list.

Source: https://cloud.google.com/apis/design/errors (google.rpc.Status), and for the reasons
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.failure import MESSAGE_MAX_CHARS, RETRY_AFTER_MAX_S, failure_by_status
from tollway.routing.failure import Failure, FailureKind

_decode = tolerant(msgspec.json.Decoder(Any).decode)
_CONTEXT = re.compile(r"input token count.{0,60}exceeds|exceeds the maximum number of tokens", re.IGNORECASE)
_DURATION = re.compile(r"(?P<seconds>[0-9]{1,6}(?:\.[0-9]{1,9})?)s")
_CREDENTIAL_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED"})
"""Google answers 400 for some keys that it does not know."""
_EXHAUSTED_REASONS = frozenset({"BILLING_DISABLED"})
_PER_DAY = "PerDay"


def classify(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
    """What a refusal means."""
    error = _error(body)
    if error is None:
        text = body[: 4 * MESSAGE_MAX_CHARS].decode(errors="replace")
        return failure_by_status(status, headers, message=text)
    message, code = str(error.get("message") or ""), str(error.get("status") or "")
    given = error.get("details")
    details = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    failure = failure_by_status(status, headers, message=message, code=code)
    kind = _kind(failure.kind, message, details)
    wait_s = failure.retry_after_s if failure.retry_after_s is not None else _retry_delay_s(details)
    return replace(failure, kind=kind, retry_after_s=wait_s)


def _kind(kind: FailureKind, message: str, details: list[dict[str, Any]]) -> FailureKind:
    reasons = {str(each.get("reason")) for each in details if each.get("reason")}
    if reasons & _CREDENTIAL_REASONS or (kind is FailureKind.INVALID and "API key not valid" in message):
        return FailureKind.CREDENTIAL
    if reasons & _EXHAUSTED_REASONS:
        return FailureKind.EXHAUSTED
    if kind is FailureKind.INVALID and _CONTEXT.search(message):
        return FailureKind.CONTEXT
    if kind is FailureKind.EXHAUSTED and not _is_quota_of_a_day(details):
        # Google says "You exceeded your current quota" of every limit, also of those per minute.
        return FailureKind.RATE_LIMITED
    return kind


def _is_quota_of_a_day(details: list[dict[str, Any]]) -> bool:
    """Whether the quota that is used up is one of a day, or said to be none at all."""
    given = (detail.get("violations") for detail in details)
    violations = [each for violations in given if isinstance(violations, list) for each in violations]
    return any(_PER_DAY in str(each.get("quotaId")) for each in violations if isinstance(each, dict))


def _retry_delay_s(details: list[dict[str, Any]]) -> float | None:
    """Of ``google.rpc.RetryInfo``: ``"retryDelay": "31.5s"``."""
    for detail in details:
        found = _DURATION.fullmatch(str(detail.get("retryDelay")))
        if found is not None:
            return min(float(found["seconds"]), RETRY_AFTER_MAX_S)
    return None


def _error(body: bytes) -> dict[str, Any] | None:
    try:
        value = _decode(body)
    except MALFORMED:
        return None
    if isinstance(value, list) and value:
        value = value[0]
    found = value.get("error") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {"message": found} if isinstance(found, str) else None
