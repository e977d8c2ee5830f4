"""Who asks."""

from datetime import UTC, datetime

from fastapi import APIRouter

from tollway.api.admin.auth import Caller, Services
from tollway.api.admin.models.me import Me

router = APIRouter(tags=["keys"])


@router.get("/me")
async def get_me(caller: Caller, services: Services) -> Me:
    """The key that was sent: what it may do, and where it belongs. Any scope."""
    organization = await services.organization_list().find(caller, caller.organization_id)
    return Me(
        key_id=caller.key_id,
        key_name=caller.key_name,
        organization_id=organization.id,
        organization=organization.name,
        project_id=caller.project_id or None,
        scopes=sorted(caller.scopes),
        expires_at=None if caller.expires_at is None else datetime.fromtimestamp(caller.expires_at, UTC),
    )
