"""Routes: what would happen to a request, and how targets compare."""

from typing import Annotated

from fastapi import APIRouter, Query

from tollway.api.admin.auth import Reader, Services
from tollway.api.admin.ledger import LINE_PATTERN, Since, Until
from tollway.api.admin.models.base import Reference
from tollway.api.admin.models.route_explain import RouteAsked, RouteExplained
from tollway.api.admin.models.route_report import RouteCompared
from tollway.api.admin.problems import CONFLICT

router = APIRouter(prefix="/route", tags=["route"])


@router.post("/explain", responses=CONFLICT)
async def explain_route(body: RouteAsked, access: Reader, services: Services) -> RouteExplained:
    """Which attempts a request would lead to and why, as the worker that answers would make them. Scope: `read`."""
    return RouteExplained.of(await services.route_explain().explain(access.organization_id, body.question))


@router.get("/report")
async def get_route_report(
    *,
    access: Reader,
    services: Services,
    alias: Annotated[
        str, Query(pattern=LINE_PATTERN, max_length=320, description="As callers wrote it.", examples=["fast"])
    ],
    project: Annotated[Reference, Query(description="Id or name of its project.")],
    since: Since = None,
    until: Until = None,
) -> RouteCompared:
    """Compare targets by cost, latency and errors, of the last seven days unless told otherwise. Scope: `read`."""
    report = await services.route_reports().report(access.organization_id, project, alias, since=since, until=until)
    return RouteCompared.of(report, alias)
