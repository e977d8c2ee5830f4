"""Organizations."""

from http import HTTPStatus

from fastapi import APIRouter

from tollway.api.admin.auth import Caller, Platform, Services, require_included
from tollway.api.admin.models.organization import Organization, OrganizationChange, OrganizationCreate
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import OrganizationPath
from tollway.api.admin.problems import CONFLICT
from tollway.identity.principal import Scope

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.post("", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def create_organization(body: OrganizationCreate, caller: Platform, services: Services) -> Organization:
    """Create an organization. Scope: `platform`."""
    row = await services.organization_create().create(**body.model_dump(), maker=caller)
    return Organization.model_validate(row)


@router.get("")
async def list_organizations(caller: Caller, services: Services, page: Paging) -> Listing[Organization]:
    """The organizations that the key may see: its own; with scope `platform` all. Scope: `read`."""
    require_included(caller, Scope.READ)
    rows = await services.organization_list().page(caller, page)
    return listing(rows, page, show=Organization.model_validate, id_of=lambda row: row.id)


@router.get("/{organization}")
async def get_organization(organization: OrganizationPath, caller: Caller, services: Services) -> Organization:
    """One organization. Scope: `read`."""
    require_included(caller, Scope.READ)
    return Organization.model_validate(await services.organization_list().find(caller, organization))


@router.patch("/{organization}", responses=CONFLICT)
async def change_organization(
    organization: OrganizationPath, body: OrganizationChange, caller: Caller, services: Services
) -> Organization:
    """Change its name or settings. With another time zone the windows of its budgets begin anew. Scope: `admin`."""
    require_included(caller, Scope.ADMIN)
    found = await services.organization_list().find(caller, organization)
    row = await services.organization_change().change(found.id, **body.model_dump(), actor_key_id=caller.key_id)
    return Organization.model_validate(row)


@router.delete("/{organization}", status_code=HTTPStatus.NO_CONTENT, responses=CONFLICT)
async def delete_organization(organization: OrganizationPath, caller: Platform, services: Services) -> None:
    """Delete an organization that never had a project, key or provider. Scope: `platform`."""
    found = await services.organization_list().find(caller, organization)
    await services.organization_delete().delete(found.id, caller=caller)
