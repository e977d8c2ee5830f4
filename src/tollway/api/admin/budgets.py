"""Budgets."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.budget import Budget, BudgetChange, BudgetSet, BudgetWindow
from tollway.api.admin.pagination import Listing, Paging, SubjectPaging, listing, subject_cursor
from tollway.api.admin.paths import IdPath, KeyQuery, ProjectQuery
from tollway.api.admin.problems import CONFLICT, created
from tollway.data.quotas import Family

router = APIRouter(prefix="/budgets", tags=["budgets"])


@router.put("", responses={**created(Budget), **CONFLICT})
async def put_budget(body: BudgetSet, access: Administrator, services: Services, response: Response) -> Budget:
    """Make the budget of this scope and window so: create it or change it. Scope: `admin`."""
    row, is_new = await services.quota_put().put(
        access.organization_id, body.scope, body.terms, actor_key_id=access.principal.key_id
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Budget.of(row)


@router.get("", responses=CONFLICT)
async def list_budgets(
    access: Reader, services: Services, page: Paging, project: ProjectQuery = None, key: KeyQuery = None
) -> Listing[Budget]:
    """The budgets of the organization, or those of one project or key. Scope: `read`."""
    rows = await services.quota_list().page(access.organization_id, Family.BUDGET, page, project=project, key=key)
    return listing(rows, page, show=Budget.of, id_of=lambda row: row.record.quota.id)


@router.get("/{budget}")
async def get_budget(budget: IdPath, access: Reader, services: Services) -> Budget:
    """One budget. Scope: `read`."""
    return Budget.of(await services.quota_list().find(access.organization_id, Family.BUDGET, budget))


@router.patch("/{budget}")
async def change_budget(budget: IdPath, body: BudgetChange, access: Administrator, services: Services) -> Budget:
    """Change it, pause it, or raise it for some time: every worker heeds that within a second. Scope: `admin`."""
    row = await services.quota_change().change(
        access.organization_id, Family.BUDGET, budget, body.changes, actor_key_id=access.principal.key_id
    )
    return Budget.of(row)


@router.post("/{budget}/reset")
async def reset_budget(budget: IdPath, access: Administrator, services: Services) -> Budget:
    """Begin its windows anew, with nothing used. Scope: `admin`."""
    row = await services.quota_change().reset(
        access.organization_id, Family.BUDGET, budget, actor_key_id=access.principal.key_id
    )
    return Budget.of(row)


@router.delete("/{budget}", status_code=HTTPStatus.NO_CONTENT)
async def remove_budget(budget: IdPath, access: Administrator, services: Services) -> None:
    """Remove a budget. Scope: `admin`."""
    await services.quota_change().remove(
        access.organization_id, Family.BUDGET, budget, actor_key_id=access.principal.key_id
    )


@router.get("/{budget}/windows")
async def list_budget_windows(
    budget: IdPath, access: Reader, services: Services, page: SubjectPaging
) -> Listing[BudgetWindow]:
    """Its present windows, one for each of `each` that has used it. Scope: `read`."""
    rows = await services.quota_list().windows(access.organization_id, Family.BUDGET, budget, page)
    return listing(rows, page, show=BudgetWindow.of, id_of=lambda row: subject_cursor(row.key))
