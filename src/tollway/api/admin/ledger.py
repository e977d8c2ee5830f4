"""The ledger."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from tollway.api.admin.auth import Reader, Services
from tollway.api.admin.export import csv_stream, jsonl_stream
from tollway.api.admin.models.base import Instant, Reference
from tollway.api.admin.models.ledger import Audit, DetailedEntry, ExplainedEntry, RequestEntries
from tollway.api.admin.pagination import LIMIT_DEFAULT, LIMIT_MAX, Listing
from tollway.api.admin.paths import IdPath, KeyQuery, ProjectQuery
from tollway.api.admin.problems import CONFLICT
from tollway.data.ledger import Place, StoredEntry
from tollway.ledger.entry import Outcome
from tollway.services.ledger_query import EntryQuery

router = APIRouter(prefix="/ledger", tags=["ledger"])

LINE_PATTERN = r"^[^\x00-\x1f\x7f]+$"
_CURSOR_PATTERN = "^[0-9]{1,16}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

ProviderFilter = Annotated[Reference | None, Query(description="Name of a provider.")]
Since = Annotated[Instant | None, Query(description="From this time on.")]
Until = Annotated[Instant | None, Query(description="Before this time.")]


async def _wanted(
    *,
    project: ProjectQuery = None,
    key: KeyQuery = None,
    model: Annotated[
        str | None,
        Query(
            pattern=LINE_PATTERN,
            max_length=320,
            description="As asked, as sent, as answered, or `provider/model` as sent.",
        ),
    ] = None,
    provider: ProviderFilter = None,
    outcome: Annotated[Outcome | None, Query(description="How the request ended.")] = None,
    request_id: Annotated[
        str | None, Query(pattern="^[0-9a-f-]{36}$", max_length=36, description="The `x-request-id` of a request.")
    ] = None,
    since: Since = None,
    until: Until = None,
) -> EntryQuery:
    return EntryQuery(project, key, model, provider, outcome, request_id, since, until)


Wanted = Annotated[EntryQuery, Depends(_wanted)]


class ExportFormat(StrEnum):
    """How entries are written."""

    CSV = "csv"
    JSONL = "jsonl"


_EXPORTS = {ExportFormat.CSV: (csv_stream, "text/csv"), ExportFormat.JSONL: (jsonl_stream, "application/jsonl")}


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    moment, _, entry_id = cursor.partition("-")
    return Place(int(moment), entry_id)


def _cursor(stored: StoredEntry) -> str:
    return f"{stored.place.admitted_at_us}-{stored.place.entry_id}"


@router.get("/entries", responses=CONFLICT)
async def list_entries(
    access: Reader,
    services: Services,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Rows of a page at the most.")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None, Query(pattern=_CURSOR_PATTERN, max_length=53, description="`next_cursor` of the page before.")
    ] = None,
) -> Listing[DetailedEntry]:
    """The entries of the organization, newest first. Scope: `read`."""
    rows = await services.ledger_query().page(access.organization_id, wanted, after=_place(cursor), limit=limit)
    shown = rows[:limit]
    return Listing(
        data=[DetailedEntry.of(row) for row in shown],
        next_cursor=_cursor(shown[-1]) if len(rows) > len(shown) else None,
    )


@router.get("/entries/{request_id}")
async def explain_request(request_id: IdPath, access: Reader, services: Services) -> RequestEntries:
    """What a request cost, and the arithmetic behind it. Scope: `read`."""
    found = await services.ledger_explain().explain(access.organization_id, request_id)
    return RequestEntries(data=[ExplainedEntry.explained(stored, explanation) for stored, explanation in found])


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The entries, oldest first",
            "content": {media: {"schema": {"type": "string"}} for _, media in _EXPORTS.values()},
        },
        **CONFLICT,
    },
)
async def export_entries(
    access: Reader,
    services: Services,
    wanted: Wanted,
    form: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.JSONL,
) -> StreamingResponse:
    """All matching entries as a stream, oldest first. Scope: `read`."""
    render, media_type = _EXPORTS[form]
    chunks = await services.ledger_query().export(access.organization_id, wanted)
    name = f'attachment; filename="ledger.{form}"'
    return StreamingResponse(render(chunks), media_type=media_type, headers={"content-disposition": name})


@router.get("/audit")
async def audit(access: Reader, services: Services, since: Since = None, until: Until = None) -> Audit:
    """Recompute rollups and charges, and show what differs; by default of the last 31 days. Scope: `read`."""
    return Audit.of(await services.ledger_audit().audit(access.organization_id, since=since, until=until))
