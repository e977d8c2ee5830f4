"""Limits of the data plane."""

from pydantic import Field

from tollway.config._base import Section


class LimitSettings(Section):
    """Sizes, times and concurrency of a request."""

    max_body_bytes: int = Field(32 * 1024 * 1024, ge=1_024, description="Largest request body.")
    max_header_bytes: int = Field(64 * 1024, ge=1_024, description="Largest sum of request header names and values.")
    max_reply_bytes: int = Field(
        64 * 1024 * 1024, ge=1_024, description="Largest reply of a provider that is not a stream."
    )
    idempotency_max_bytes: int = Field(
        1024 * 1024,
        ge=0,
        le=8 * 1024 * 1024,
        description="Largest reply that is kept for requests with the same `Idempotency-Key`.",
    )
    max_concurrent_requests: int = Field(1_000, ge=1, description="Requests one worker serves at the same time.")
    default_output_tokens: int = Field(
        16_384,
        ge=1,
        le=2**31 - 1,
        description="Longest answer, in tokens, of a request under a hard budget that does not bound it itself; a "
        "project may have its own.",
    )
    budget_wait_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Seconds a request may wait for a hard budget that running requests hold, before it is refused.",
    )
    body_timeout_s: float = Field(60.0, gt=0, description="Seconds for the caller to send the whole body.")
    connect_timeout_s: float = Field(5.0, gt=0, description="Seconds to connect to a provider, TLS included.")
    read_timeout_s: float = Field(300.0, gt=0, description="Seconds without a byte from the provider.")
    total_timeout_s: float = Field(1_800.0, gt=0, description="Seconds for the whole exchange with a provider.")
