import json

import pytest

from tollway.providers.bedrock.failure import classify_failure
from tollway.routing.failure import FailureKind

TOO_LONG = "The model returned the following errors: Input is too long for requested model."
NO_PROFILE = "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry with an inference profile."
CASES = [
    (429, "ThrottlingException", "Too many requests", FailureKind.RATE_LIMITED),
    (400, "ThrottlingException", "Too many tokens per day", FailureKind.RATE_LIMITED),
    (400, "ServiceQuotaExceededException", "Your request exceeds the quota", FailureKind.EXHAUSTED),
    (429, "ModelNotReadyException", "The model is not ready", FailureKind.OVERLOADED),
    (408, "ModelTimeoutException", "Took too long", FailureKind.TIMEOUT),
    (424, "ModelErrorException", "The model failed", FailureKind.SERVER),
    (500, "InternalServerException", "", FailureKind.SERVER),
    (503, "ServiceUnavailableException", "", FailureKind.OVERLOADED),
    (403, "AccessDeniedException", "You don't have access to the model", FailureKind.CREDENTIAL),
    (403, "ExpiredTokenException", "The security token is expired", FailureKind.CREDENTIAL),
    (400, "UnrecognizedClientException", "The security token is invalid", FailureKind.CREDENTIAL),
    (404, "ResourceNotFoundException", "Could not resolve the model", FailureKind.NOT_FOUND),
    (400, "ValidationException", "The provided model identifier is invalid.", FailureKind.NOT_FOUND),
    (400, "ValidationException", NO_PROFILE, FailureKind.NOT_FOUND),
    (400, "ValidationException", TOO_LONG, FailureKind.CONTEXT),
    (400, "ValidationException", "temperature must be at most 1", FailureKind.INVALID),
    (400, "", "temperature must be at most 1", FailureKind.INVALID),
    (502, "", "", FailureKind.SERVER),
]


@pytest.mark.parametrize(("status", "name", "words", "kind"), CASES)
def test_a_refusal_is_told_by_its_exception_first(status: int, name: str, words: str, kind: FailureKind) -> None:
    named = [("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/")] if name else []
    for headers, body in (
        (named, {"message": words}),
        ([], {"__type": f"com.amazon.coral.service#{name}", "Message": words}),
    ):
        failure = classify_failure(status, headers, json.dumps(body).encode())
        assert failure.kind is kind
        assert failure.message == words
        assert failure.code == name


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", b'{"message": 7}', b"\xff"])
def test_a_refusal_without_words_is_told_by_its_status(body: bytes) -> None:
    assert classify_failure(429, [], body).kind is FailureKind.RATE_LIMITED
