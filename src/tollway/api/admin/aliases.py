"""Aliases."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.alias import Alias, AliasSettings
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import AliasPath, ProjectPath, ProjectQuery
from tollway.api.admin.problems import created

router = APIRouter(prefix="/aliases", tags=["aliases"])


@router.get("")
async def list_aliases(
    access: Reader,
    services: Services,
    page: Paging,
    project: ProjectQuery = None,
) -> Listing[Alias]:
    """The aliases of the organization's projects, or of one project. Scope: `read`."""
    rows = await services.alias_list().page(access.organization_id, page, project=project)
    return listing(rows, page, show=Alias.model_validate, id_of=lambda row: row.id)


@router.put("/{project}/{alias}", responses=created(Alias))
async def put_alias(
    *,
    project: ProjectPath,
    alias: AliasPath,
    body: AliasSettings,
    access: Administrator,
    services: Services,
    response: Response,
) -> Alias:
    """Let the alias stand for a target, or for several of which a route chooses. Scope: `admin`."""
    row, is_new = await services.alias_put().put(
        access.organization_id,
        project,
        alias,
        route=body.wanted,
        param="target" if body.route is None else "route",
        actor_key_id=access.principal.key_id,
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Alias.model_validate(row)


@router.get("/{project}/{alias}")
async def get_alias(project: ProjectPath, alias: AliasPath, access: Reader, services: Services) -> Alias:
    """One alias. Scope: `read`."""
    return Alias.model_validate(await services.alias_list().find(access.organization_id, project, alias))


@router.delete("/{project}/{alias}", status_code=HTTPStatus.NO_CONTENT)
async def remove_alias(project: ProjectPath, alias: AliasPath, access: Administrator, services: Services) -> None:
    """Remove an alias. Scope: `admin`."""
    await services.alias_remove().remove(access.organization_id, project, alias, actor_key_id=access.principal.key_id)
