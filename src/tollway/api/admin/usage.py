"""Usage."""

from typing import Annotated

from fastapi import APIRouter, Query

from tollway.api.admin.auth import Reader, Services
from tollway.api.admin.ledger import LINE_PATTERN, ProviderFilter, Since, Until
from tollway.api.admin.models.usage import Usage
from tollway.api.admin.paths import KeyQuery, ProjectQuery
from tollway.api.admin.problems import CONFLICT
from tollway.constants import TAG_NAME_MAX_CHARS, TAG_VALUE_MAX_CHARS
from tollway.data.rollups import Group
from tollway.services.usage_query import UsageQuestion

router = APIRouter(tags=["usage"])


@router.get("/usage", responses=CONFLICT)
async def get_usage(
    *,
    access: Reader,
    services: Services,
    group_by: Annotated[
        list[Group] | None, Query(max_length=len(Group), description="What to tell apart; may be repeated.")
    ] = None,
    project: ProjectQuery = None,
    key: KeyQuery = None,
    model: Annotated[
        str | None, Query(pattern=LINE_PATTERN, max_length=320, description="`provider/model`, as sent upstream.")
    ] = None,
    provider: ProviderFilter = None,
    tag: Annotated[
        str | None,
        Query(
            pattern=LINE_PATTERN,
            max_length=TAG_NAME_MAX_CHARS + 1 + TAG_VALUE_MAX_CHARS,
            description="A tag's name, or `name=value`.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
) -> Usage:
    """Sums of requests, tokens and money. Times are widened to whole hours. Scope: `read`."""
    groups = tuple(group_by or ())
    question = UsageQuestion(groups, project, key, model, provider, tag, since, until)
    return Usage.of(await services.usage_query().usage(access.organization_id, question), by_hour=Group.HOUR in groups)
