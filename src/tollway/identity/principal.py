"""Who asks: what the pipeline knows of a caller once the key was checked."""

from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """What a key may do."""

    INFERENCE = "inference"
    """The data plane: ``/v1/…``, within one project."""
    READ = "read"
    """Read the control plane of the own organization."""
    ADMIN = "admin"
    """Read and change the control plane of the own organization."""
    PLATFORM = "platform"
    """As ``admin``, of every organization, and create organizations."""


class Principal(msgspec.Struct, frozen=True):
    """A checked key with what the hot path needs of its project.

    Attributes:
        key_id, organization_id: UUIDs.
        project_id: UUID; empty for a key of the organization (control plane only).
        key_name: for logs.
        scopes: what the key may do.
        allowed_models: ``None`` for every model, else names or ``provider/*`` patterns.
        expires_at: epoch seconds, ``None`` for never.
        revoked_at: epoch seconds from which the key is dead (may lie ahead: rotation with overlap), ``None`` for never.
        allow_unpriced: the project's choice for models without a price.
        clamp_output: the project's choice where a budget covers less than the output may cost: shorten the output
            (``True``) or refuse.
        default_output_tokens: the project's bound of the output where neither the request nor the model has one;
            ``None`` for the installation's.
        serve_without_database: the organization's choice for hard budgets whose lease is used up while the database is
            away: go on, or refuse.
        drop_unsupported: the project's choice for fields that a provider of another dialect cannot be asked for: leave
            them out and say so, or refuse the request.
        store_content: what the project lets Tollway keep of responses and conversations: ``none``, ``metadata`` (ids,
            times, usage) or ``full``.
        retention_days: for how long.
        cache_ttl_s: how long an answer may be given again for the same request; 0: never.
        cache_max_bytes: how much of such answers may be kept.
        cache_single_flight: whether the same requests at the same time are asked once.
        origin_id: UUID under which budgets and limits know the key: that of the first key of its rotations.
    """

    key_id: str
    organization_id: str
    project_id: str
    key_name: str
    scopes: frozenset[Scope]
    allowed_models: tuple[str, ...] | None = None
    expires_at: float | None = None
    revoked_at: float | None = None
    allow_unpriced: bool = False
    clamp_output: bool = True
    default_output_tokens: int | None = None
    serve_without_database: bool = False
    origin_id: str = ""
    drop_unsupported: bool = False
    store_content: str = "metadata"
    retention_days: int = 30
    cache_ttl_s: int = 0
    cache_max_bytes: int = 16_777_216
    cache_single_flight: bool = False
