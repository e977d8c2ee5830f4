"""The taxonomy of faults: each has a code, a status, a cause that is safe to show, and a next step.

A class states what is always true of the fault; an instance states what happened this time. Renderers
(the dialects' envelopes, RFC 9457 for the control plane, the terminal for the CLI) read only these attributes,
so that a fault is told the same way everywhere. The message never holds a secret or another tenant's data.
"""

from collections.abc import Sequence
from typing import ClassVar


class TollwayError(Exception):
    """Base of every fault that a caller may see.

    Attributes:
        code: stable machine-readable name, for instance ``model_not_priced``.
        status: HTTP status code.
        kind: the OpenAI error ``type`` of this fault.
        retryable: whether the same request may succeed if sent again unchanged.
        ends_connection: whether the rest of the body is not read, so that no request can follow on the connection.
        message: what happened and why, in one sentence.
        next_step: what the reader can do about it.
        param: the request field at fault, if one is.
        headers: extra response headers (name, value), lower case.
        in_ledger: whether the request that met it was admitted, and so has its ledger entry.
        of_target: whether it is of one deployment only: another one might serve the same request.
        request_id: of the request that met it, once known: some envelopes tell it.
        refused_with: status of the provider's refusal that it tells of; 0 if it tells of none.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    kind: ClassVar[str] = "server_error"
    retryable: ClassVar[bool] = False
    ends_connection: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        param: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.param = param
        self.headers = (*headers, ("connection", "close")) if self.ends_connection else tuple(headers)
        self.in_ledger = self.of_target = False
        self.request_id = ""
        self.refused_with = 0

    @property
    def text(self) -> str:
        """The message with its next step, as shown to a person."""
        return f"{self.message} {self.next_step}".strip()


class InternalError(TollwayError):
    """A defect of ours. The details go to the log, under the request id."""


# --- the request itself -------------------------------------------------------------------------------


class InvalidRequestError(TollwayError):
    """The request cannot be read or lacks a required field."""

    code = "invalid_request"
    status = 400
    kind = "invalid_request_error"


class MalformedBodyError(InvalidRequestError):
    """The body is not a JSON object."""

    code = "malformed_body"


class BodyTooLargeError(TollwayError):
    """The body exceeds the configured limit."""

    code = "body_too_large"
    status = 413
    kind = "invalid_request_error"
    ends_connection = True


class HeadersTooLargeError(TollwayError):
    """The headers exceed the configured limit."""

    code = "headers_too_large"
    status = 431
    kind = "invalid_request_error"


class BodyTimeoutError(TollwayError):
    """The caller did not send the whole body in time."""

    code = "body_timeout"
    status = 408
    kind = "invalid_request_error"
    ends_connection = True


class MethodNotAllowedError(TollwayError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    kind = "invalid_request_error"


class UnprocessableError(TollwayError):
    """The request is well formed, one of its values cannot be used."""

    code = "unusable_value"
    status = 422
    kind = "invalid_request_error"


class UnsupportedFieldError(InvalidRequestError):
    """The request asks for something that the provider behind the model cannot be asked for."""

    code = "unsupported_field"


class ConflictError(TollwayError):
    """The change contradicts what is there already."""

    code = "conflict"
    status = 409
    kind = "invalid_request_error"


# --- who asks ----------------------------------------------------------------------------------------


class AuthenticationError(TollwayError):
    """The caller is not known. Raised only when that was established, never when it could not be checked."""

    code = "invalid_api_key"
    status = 401
    kind = "authentication_error"


class MissingKeyError(AuthenticationError):
    """No key was sent."""

    code = "missing_api_key"


class ExpiredKeyError(AuthenticationError):
    """The key has passed its expiry."""

    code = "expired_api_key"


class RevokedKeyError(AuthenticationError):
    """The key was revoked."""

    code = "revoked_api_key"


class PermissionDeniedError(TollwayError):
    """The caller is known and may not do this."""

    code = "permission_denied"
    status = 403
    kind = "permission_error"


class ModelNotAllowedError(PermissionDeniedError):
    """The key's list of allowed models does not hold this one."""

    code = "model_not_allowed"


class NotFoundError(TollwayError):
    """It does not exist, or belongs to another tenant: the two are never told apart."""

    code = "not_found"
    status = 404
    kind = "not_found_error"


class ContentNotKeptError(InvalidRequestError):
    """The request needs content to be kept, and the project, or the caller before, chose that it is not."""

    code = "content_not_kept"


class ModelNotFoundError(NotFoundError):
    """No provider of the organization and no alias of the project has this name."""

    code = "model_not_found"
    kind = "invalid_request_error"


class NotSupportedByProviderError(NotFoundError):
    """The provider of the model has no such endpoint, and nothing else can stand in for it."""

    code = "not_supported_by_provider"
    kind = "invalid_request_error"


# --- money -------------------------------------------------------------------------------------------


class ModelNotPricedError(TollwayError):
    """No price is known for the model, and the project does not allow unpriced use."""

    code = "model_not_priced"
    status = 422
    kind = "invalid_request_error"


class BudgetExceededError(TollwayError):
    """A hard budget does not cover the request. Sending it again does not help before the window ends."""

    code = "budget_exceeded"
    status = 402
    kind = "insufficient_quota"


class RateLimitedError(TollwayError):
    """A rate limit is reached."""

    code = "rate_limited"
    status = 429
    kind = "rate_limit_error"
    retryable = True


class BudgetUnavailableError(TollwayError):
    """A hard budget cannot be asked for more while the database is away, and what was leased is used up."""

    code = "budget_unavailable"
    status = 503
    kind = "server_error"
    retryable = True


# --- idempotency -------------------------------------------------------------------------------------


class IdempotencyError(ConflictError):
    """The idempotency key was used for a different request."""

    code = "idempotency_key_reused"


class IdempotencyRunningError(ConflictError):
    """The first request of this idempotency key still runs."""

    code = "idempotency_key_in_use"
    retryable = True


class ConversationLockedError(ConflictError):
    """Another request goes on with the conversation at this moment: one after the other."""

    code = "conversation_locked"
    retryable = True


class IdempotencyLostError(ConflictError):
    """The first request of this idempotency key was served, and its outcome was too large to be kept."""

    code = "idempotency_outcome_not_kept"


# --- our side ----------------------------------------------------------------------------------------


class NotReadyError(TollwayError):
    """This process cannot serve right now (starting, stopping, or a part it needs is away)."""

    code = "not_ready"
    status = 503
    retryable = True


class DatabaseUnavailableError(NotReadyError):
    """PostgreSQL could not be asked."""

    code = "database_unavailable"


class JournalUnavailableError(NotReadyError):
    """The journal cannot be written; a request that could not be recorded is not served."""

    code = "journal_unavailable"


class ProviderSealedError(NotReadyError):
    """The provider's stored credential cannot be opened: the master key is another one than it was stored under."""

    code = "provider_credential_unreadable"
    retryable = False


class ContentSealedError(NotReadyError):
    """Stored content cannot be opened: the master key is another one than it was stored under."""

    code = "stored_content_unreadable"
    retryable = False


class SchemaError(NotReadyError):
    """The schema of the database and this version of Tollway do not fit."""

    code = "schema_mismatch"
    retryable = False


class OverloadedError(NotReadyError):
    """The worker already serves its maximum of concurrent requests."""

    code = "overloaded"


class NotInCacheError(TollwayError):
    """The request asks for nothing but the response cache, and the answer is not there (RFC 9111, section 5.2.1.7)."""

    code = "not_in_cache"
    status = 504
    kind = "invalid_request_error"


# --- upstream ----------------------------------------------------------------------------------------


class UpstreamError(TollwayError):
    """The provider could not be used."""

    code = "upstream_error"
    status = 502
    kind = "upstream_error"
    retryable = True


class UpstreamUnreachableError(UpstreamError):
    """No connection to the provider (refused, no route, DNS, TLS)."""

    code = "upstream_unreachable"


class SignInError(UpstreamError):
    """The cloud refused to sign the provider in, or gave no answer."""

    code = "provider_sign_in_failed"


class SignInMissingError(UpstreamError):
    """Tollway was installed without what signs in to the provider's cloud."""

    code = "provider_sign_in_not_installed"
    status = 503
    retryable = False


class UpstreamMalformedError(UpstreamError):
    """The provider answered with something that is not its protocol."""

    code = "upstream_malformed_reply"


class UpstreamCutError(UpstreamMalformedError):
    """The connection broke before the reply was whole."""

    code = "upstream_connection_lost"


class StreamCutError(UpstreamError):
    """The provider's stream ended before its end mark."""

    code = "upstream_stream_cut"


class UpstreamTooLargeError(UpstreamError):
    """The provider's reply exceeds the configured limit."""

    code = "upstream_reply_too_large"
    retryable = False


class UpstreamTimeoutError(UpstreamError):
    """The provider did not answer in time."""

    code = "upstream_timeout"
    status = 504
