"""What Google's refusals mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.providers.gemini.error import classify
from tollway.routing.failure import FailureKind


def body(status: str, message: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": 0, "status": status, "message": message, "details": list(details)}}).encode()


QUOTA = "You exceeded your current quota, please check your plan and billing details."
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31.5s"}


def violated(quota_id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]}


@pytest.mark.parametrize(
    ("status", "given_body", "kind"),
    [
        (400, body("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), FailureKind.CREDENTIAL),
        (400, body("INVALID_ARGUMENT", "x", {"reason": "API_KEY_INVALID"}), FailureKind.CREDENTIAL),
        (400, b"[" + body("INVALID_ARGUMENT", "x", {"reason": "API_KEY_INVALID"}) + b"]", FailureKind.CREDENTIAL),
        (
            400,
            body("INVALID_ARGUMENT", "The input token count (1048577) exceeds the maximum number of tokens allowed"),
            FailureKind.CONTEXT,
        ),
        (400, body("INVALID_ARGUMENT", "Unable to process input image."), FailureKind.INVALID),
        (403, body("PERMISSION_DENIED", "no"), FailureKind.CREDENTIAL),
        (403, body("PERMISSION_DENIED", "x", {"reason": "BILLING_DISABLED"}), FailureKind.EXHAUSTED),
        (404, body("NOT_FOUND", "models/x is not found for API version v1beta"), FailureKind.NOT_FOUND),
        (429, body("RESOURCE_EXHAUSTED", QUOTA, violated("RequestsPerMinutePerModel")), FailureKind.RATE_LIMITED),
        (429, body("RESOURCE_EXHAUSTED", QUOTA, violated("RequestsPerDayPerModel")), FailureKind.EXHAUSTED),
        (429, body("RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."), FailureKind.RATE_LIMITED),
        (500, body("INTERNAL", "An internal error has occurred."), FailureKind.SERVER),
        (503, body("UNAVAILABLE", "The model is overloaded."), FailureKind.OVERLOADED),
        (504, body("DEADLINE_EXCEEDED", "late"), FailureKind.TIMEOUT),
        (502, b"<html>Bad Gateway</html>", FailureKind.SERVER),
    ],
)
def test_a_refusal_has_its_class(status: int, given_body: bytes, kind: FailureKind) -> None:
    failure = classify(status, (), given_body)
    assert failure.kind is kind
    assert failure.status == status
    assert failure.message


def test_the_time_to_come_back_stands_in_the_details_where_no_header_tells_it() -> None:
    told = body("RESOURCE_EXHAUSTED", QUOTA, violated("PerMinute"), RETRY)
    assert classify(429, (), told).retry_after_s == 31.5
    assert classify(429, (("retry-after", "7"),), told).retry_after_s == 7
    assert classify(429, (), body("RESOURCE_EXHAUSTED", QUOTA, {"retryDelay": "soon"})).retry_after_s is None


MEMBERS = st.sampled_from(["error", "details", "violations", "reason", "retryDelay"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner),
)


@given(json_values | st.binary(max_size=40).map(lambda data: data.decode("latin-1")), st.integers(400, 599))
def test_no_refusal_is_too_strange(value: object, status: int) -> None:
    assert classify(status, (), json.dumps(value).encode()).status == status
    assert classify(status, (), json.dumps({"error": value}).encode()).status == status
