"""What can be set of a project, and how a change is told."""

from typing import Any

import msgspec

from tollway.data.audit_events import Action, raise_events
from tollway.data.schema.project import Project
from tollway.data.session import WriteSession
from tollway.services.change_event import change_events


class ProjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a project.

    Attributes:
        allow_unpriced: whether models without a known price are let through.
        clamp_output: where a budget covers less than the output may cost: shorten the output, or refuse.
        default_output_tokens: bound of the output where neither the request nor the model has one; ``None`` for the
            installation's.
        drop_unsupported: fields that a provider of another dialect cannot be asked for are left out and told, instead
            of the request being refused.
        store_content: what is kept of responses and conversations: ``none``, ``metadata`` or ``full``.
        retention_days: for how long.
        cache_ttl_s: how long an answer may be given again for the same request; 0: never.
        cache_max_bytes: how much of such answers may be kept.
        cache_single_flight: whether the same requests at the same time are asked once.
    """

    allow_unpriced: bool = False
    clamp_output: bool = True
    default_output_tokens: int | None = None
    drop_unsupported: bool = False
    store_content: str = "metadata"
    retention_days: int = 30
    cache_ttl_s: int = 0
    cache_max_bytes: int = 16_777_216
    cache_single_flight: bool = False


def settings_of(row: Project) -> dict[str, Any]:
    """What of a project can be changed, its name among them."""
    return {name: getattr(row, name) for name in ("name", *ProjectSettings.__struct_fields__)}


async def tell_project(
    session: WriteSession, row: Project, before: dict[str, Any] | None, *, actor_key_id: str | None
) -> None:
    """Tell that it is new (`before` is ``None``), or what is another than before, if anything is."""
    await raise_events(
        session,
        change_events(
            Action.PROJECT_CREATED if before is None else Action.PROJECT_CHANGED,
            organization_id=row.organization_id,
            subject=row.id,
            actor_key_id=actor_key_id,
            before=before,
            after=settings_of(row),
        ),
    )
