"""Keys."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.key import Key, KeyCreate, KeyCreated, KeyRotate, KeyRotated
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import KeyPath, ProjectQuery
from tollway.api.admin.problems import CONFLICT

router = APIRouter(prefix="/keys", tags=["keys"])


@router.post("", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def create_key(body: KeyCreate, access: Administrator, services: Services) -> KeyCreated:
    """Create a key. The answer shows it this once. No key grants a scope that its maker lacks. Scope: `admin`."""
    issued = await services.key_issue().issue(
        access.organization_id,
        maker=access.principal,
        name=body.name,
        project=body.project,
        scopes=body.scopes,
        allowed_models=body.allowed_models,
        expires_at=body.expires_at,
    )
    return KeyCreated.model_validate(issued)


@router.get("")
async def list_keys(
    access: Reader,
    services: Services,
    page: Paging,
    project: ProjectQuery = None,
    include_revoked: Annotated[bool, Query(description="Show revoked keys too.")] = False,  # noqa: FBT002 -- a query parameter has a name
) -> Listing[Key]:
    """The keys of the organization, without their secrets. Scope: `read`."""
    rows = await services.key_list().page(
        access.organization_id, page, project=project, include_revoked=include_revoked
    )
    return listing(rows, page, show=Key.model_validate, id_of=lambda row: row.id)


@router.get("/{key}", responses=CONFLICT)
async def get_key(key: KeyPath, access: Reader, services: Services, project: ProjectQuery = None) -> Key:
    """One key. If several projects have a key of this name, `project` tells which. Scope: `read`."""
    return Key.model_validate(await services.key_list().find(access.organization_id, key, project=project))


@router.post("/{key}/rotate", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def rotate_key(
    key: KeyPath, body: KeyRotate, access: Administrator, services: Services, project: ProjectQuery = None
) -> KeyRotated:
    """Make a new key like this one. The old one goes on working for `overlap_s` seconds. Scope: `admin`."""
    rotated = await services.key_rotate().rotate(
        access.organization_id, key, project=project, maker=access.principal, overlap_s=body.overlap_s
    )
    return KeyRotated.model_validate(rotated)


@router.post("/{key}/revoke", responses=CONFLICT)
async def revoke_key(key: KeyPath, access: Administrator, services: Services, project: ProjectQuery = None) -> Key:
    """Revoke a key: within a second no worker takes it any more. Scope: `admin`."""
    row = await services.key_revoke().revoke(access.organization_id, key, project=project, revoker=access.principal)
    return Key.model_validate(row)
