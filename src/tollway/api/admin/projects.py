"""Projects."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.project import Project, ProjectChange, ProjectCreate, ProjectSettings
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import ProjectNamePath, ProjectPath
from tollway.api.admin.problems import CONFLICT, created

router = APIRouter(prefix="/projects", tags=["projects"])


@router.post("", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def create_project(body: ProjectCreate, access: Administrator, services: Services) -> Project:
    """Create a project. Scope: `admin`."""
    row = await services.project_create().create(
        access.organization_id, name=body.name, settings=body.settings, actor_key_id=access.principal.key_id
    )
    return Project.model_validate(row)


@router.put("/{project}", responses=created(Project))
async def put_project(
    project: ProjectNamePath, body: ProjectSettings, access: Administrator, services: Services, response: Response
) -> Project:
    """Make the project of this name so: create it or change it. Scope: `admin`."""
    row, is_new = await services.project_create().put(
        access.organization_id, name=project, settings=body.settings, actor_key_id=access.principal.key_id
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Project.model_validate(row)


@router.get("")
async def list_projects(
    access: Reader,
    services: Services,
    page: Paging,
    include_archived: Annotated[bool, Query(description="Show archived projects too.")] = False,  # noqa: FBT002 -- a query parameter has a name
) -> Listing[Project]:
    """The projects of the organization. Scope: `read`."""
    rows = await services.project_list().page(access.organization_id, page, include_archived=include_archived)
    return listing(rows, page, show=Project.model_validate, id_of=lambda row: row.id)


@router.get("/{project}")
async def get_project(project: ProjectPath, access: Reader, services: Services) -> Project:
    """One project; an archived one by its id only. Scope: `read`."""
    return Project.model_validate(await services.project_list().find(access.organization_id, project))


@router.patch("/{project}", responses=CONFLICT)
async def change_project(
    project: ProjectPath, body: ProjectChange, access: Administrator, services: Services
) -> Project:
    """Change a project's name or settings. Scope: `admin`."""
    row = await services.project_change().change(
        access.organization_id, project, body.changes, actor_key_id=access.principal.key_id
    )
    return Project.model_validate(row)


@router.delete("/{project}")
async def archive_project(project: ProjectPath, access: Administrator, services: Services) -> Project:
    """Archive a project: its keys are revoked, its budgets removed, its name becomes free. Scope: `admin`."""
    row = await services.project_archive().archive(
        access.organization_id, project, actor_key_id=access.principal.key_id
    )
    return Project.model_validate(row)
