"""Limits."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.limit import Limit, LimitChange, LimitSet
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import IdPath, KeyQuery, ProjectQuery
from tollway.api.admin.problems import CONFLICT, created
from tollway.data.quotas import Family

router = APIRouter(prefix="/limits", tags=["limits"])


@router.put("", responses={**created(Limit), **CONFLICT})
async def put_limit(body: LimitSet, access: Administrator, services: Services, response: Response) -> Limit:
    """Make the rate limit of this scope and window so: create it or change it. Scope: `admin`."""
    record, is_new = await services.quota_put().put(
        access.organization_id, body.scope, body.terms, actor_key_id=access.principal.key_id
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Limit.of(record)


@router.get("", responses=CONFLICT)
async def list_limits(
    access: Reader, services: Services, page: Paging, project: ProjectQuery = None, key: KeyQuery = None
) -> Listing[Limit]:
    """The rate limits of the organization, or those of one project or key. Scope: `read`."""
    rows = await services.quota_list().page(access.organization_id, Family.LIMIT, page, project=project, key=key)
    return listing(rows, page, show=Limit.of, id_of=lambda row: row.quota.id)


@router.get("/{limit}")
async def get_limit(limit: IdPath, access: Reader, services: Services) -> Limit:
    """One rate limit. Scope: `read`."""
    return Limit.of(await services.quota_list().find(access.organization_id, Family.LIMIT, limit))


@router.patch("/{limit}")
async def change_limit(limit: IdPath, body: LimitChange, access: Administrator, services: Services) -> Limit:
    """Change it, pause it, or raise it for some time: every worker heeds that within a second. Scope: `admin`."""
    record = await services.quota_change().change(
        access.organization_id, Family.LIMIT, limit, body.changes, actor_key_id=access.principal.key_id
    )
    return Limit.of(record)


@router.post("/{limit}/reset")
async def reset_limit(limit: IdPath, access: Administrator, services: Services) -> Limit:
    """Begin its windows anew, with nothing used. Scope: `admin`."""
    record = await services.quota_change().reset(
        access.organization_id, Family.LIMIT, limit, actor_key_id=access.principal.key_id
    )
    return Limit.of(record)


@router.delete("/{limit}", status_code=HTTPStatus.NO_CONTENT)
async def remove_limit(limit: IdPath, access: Administrator, services: Services) -> None:
    """Remove a rate limit. Scope: `admin`."""
    await services.quota_change().remove(
        access.organization_id, Family.LIMIT, limit, actor_key_id=access.principal.key_id
    )
