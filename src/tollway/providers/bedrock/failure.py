"""What a refusal of Bedrock means: by its exception's name first, by status and words else.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors and
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html. The name stands in the header
``x-amzn-errortype`` (``ThrottlingException:http://…``), or in the body as ``__type``.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from tollway.json_object import MALFORMED, tolerant
from tollway.providers.failure import failure_by_status
from tollway.routing.failure import Failure, FailureKind

_KINDS = {
    "AccessDeniedException": FailureKind.CREDENTIAL,
    "UnrecognizedClientException": FailureKind.CREDENTIAL,
    "InvalidSignatureException": FailureKind.CREDENTIAL,
    "SignatureDoesNotMatch": FailureKind.CREDENTIAL,
    "ExpiredTokenException": FailureKind.CREDENTIAL,
    "IncompleteSignature": FailureKind.CREDENTIAL,
    "MissingAuthenticationTokenException": FailureKind.CREDENTIAL,
    "ThrottlingException": FailureKind.RATE_LIMITED,
    "TooManyRequestsException": FailureKind.RATE_LIMITED,
    "ServiceQuotaExceededException": FailureKind.EXHAUSTED,
    "ModelNotReadyException": FailureKind.OVERLOADED,
    "ServiceUnavailableException": FailureKind.OVERLOADED,
    "ServiceUnavailable": FailureKind.OVERLOADED,
    "ModelTimeoutException": FailureKind.TIMEOUT,
    "ModelErrorException": FailureKind.SERVER,
    "InternalServerException": FailureKind.SERVER,
    "InternalFailure": FailureKind.SERVER,
    "ResourceNotFoundException": FailureKind.NOT_FOUND,
}
_NO_MODEL = ("model identifier is invalid", "access to the model", "on-demand throughput isn")
"""Beginnings of what a ``ValidationException`` says of a model that cannot be asked."""


class _Body(msgspec.Struct):
    message: str | None = None
    Message: str | None = None
    type_: str | None = msgspec.field(default=None, name="__type")


_decode = tolerant(msgspec.json.Decoder(_Body).decode)


def classify_failure(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
    """Its class, and Bedrock's words."""
    try:
        told = _decode(body)
    except MALFORMED:
        told = _Body()
    named = next((value for name, value in headers if name == "x-amzn-errortype"), "") or told.type_ or ""
    name = named.partition(":")[0].rpartition("#")[2].strip()
    message = told.message or told.Message or ""
    failure = failure_by_status(status, headers, message=message, code=name)
    kind = _KINDS.get(name)
    if kind is None and failure.kind is FailureKind.INVALID and any(words in message for words in _NO_MODEL):
        kind = FailureKind.NOT_FOUND
    return failure if kind is None or kind is failure.kind else replace(failure, kind=kind)
