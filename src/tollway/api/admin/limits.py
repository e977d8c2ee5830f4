"""Limits."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.limit import Limit, LimitChange, LimitSet, LimitWindowShown
from tollway.api.admin.pagination import Listing, Paging, SubjectPaging, listing, subject_cursor
from tollway.api.admin.paths import IdPath, KeyQuery, ProjectQuery
from tollway.api.admin.problems import CONFLICT, created
from tollway.data.quotas import Family

router = APIRouter(prefix="/limits", tags=["limits"])


@router.put("", responses={**created(Limit), **CONFLICT})
async def put_limit(body: LimitSet, access: Administrator, services: Services, response: Response) -> Limit:
    """Make the rate limit of this scope and window so: create it or change it. Scope: `admin`."""
    row, is_new = await services.quota_put().put(
        access.organization_id, body.scope, body.terms, actor_key_id=access.principal.key_id
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Limit.of(row)


@router.get("", responses=CONFLICT)
async def list_limits(
    access: Reader, services: Services, page: Paging, project: ProjectQuery = None, key: KeyQuery = None
) -> Listing[Limit]:
    """The rate limits of the organization, or those of one project or key. Scope: `read`."""
    rows = await services.quota_list().page(access.organization_id, Family.LIMIT, page, project=project, key=key)
    return listing(rows, page, show=Limit.of, id_of=lambda row: row.record.quota.id)


@router.get("/{limit_id}")
async def get_limit(limit_id: IdPath, access: Reader, services: Services) -> Limit:
    """One rate limit. Scope: `read`."""
    return Limit.of(await services.quota_list().find(access.organization_id, Family.LIMIT, limit_id))


@router.patch("/{limit_id}")
async def change_limit(limit_id: IdPath, body: LimitChange, access: Administrator, services: Services) -> Limit:
    """Change it, pause it, or raise it for some time: every worker heeds that within a second. Scope: `admin`."""
    row = await services.quota_change().change(
        access.organization_id, Family.LIMIT, limit_id, body.changes, actor_key_id=access.principal.key_id
    )
    return Limit.of(row)


@router.post("/{limit_id}/reset")
async def reset_limit(limit_id: IdPath, access: Administrator, services: Services) -> Limit:
    """Begin its windows anew, with nothing used. Scope: `admin`."""
    row = await services.quota_change().reset(
        access.organization_id, Family.LIMIT, limit_id, actor_key_id=access.principal.key_id
    )
    return Limit.of(row)


@router.delete("/{limit_id}", status_code=HTTPStatus.NO_CONTENT)
async def remove_limit(limit_id: IdPath, access: Administrator, services: Services) -> None:
    """Remove a rate limit. Scope: `admin`."""
    await services.quota_change().remove(
        access.organization_id, Family.LIMIT, limit_id, actor_key_id=access.principal.key_id
    )


@router.get("/{limit_id}/windows")
async def list_limit_windows(
    limit_id: IdPath, access: Reader, services: Services, page: SubjectPaging
) -> Listing[LimitWindowShown]:
    """Its present windows, one for each of `each` that has used it. Scope: `read`."""
    rows = await services.quota_list().windows(access.organization_id, Family.LIMIT, limit_id, page)
    return listing(rows, page, show=LimitWindowShown.of, id_of=lambda row: subject_cursor(row.key))
