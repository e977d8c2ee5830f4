"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Query

from tollway.api.admin.auth import Reader, Services
from tollway.api.admin.models.audit import AuditEvent
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.data.audit_events import Action

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("/events")
async def list_events(
    access: Reader,
    services: Services,
    page: Paging,
    action: Annotated[Action | None, Query(description="Only events of this action.")] = None,
    subject: Annotated[
        str | None,
        Query(pattern="^[0-9a-f-]{36}$", max_length=36, description="Only events of what has this id."),
    ] = None,
) -> Listing[AuditEvent]:
    """What happened in the organization, the newest first. Scope: `read`."""
    rows = await services.audit_list().page(access.organization_id, page, action=action, subject=subject)
    return listing(rows, page, show=AuditEvent.model_validate, id_of=lambda row: row.id)
