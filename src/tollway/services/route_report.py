"""Compare the targets of an alias by cost, latency and errors: a canary or a shadow with what it may replace."""

from datetime import UTC, datetime, timedelta

import msgspec

from tollway.data import aliases, route_report
from tollway.data.route_report import Compared
from tollway.data.session import Database
from tollway.errors import UnprocessableError
from tollway.services.project_list import require_project

ENTRIES_MAX = 100_000
"""The newest entries of a name that are compared."""
_READ_MAX = 500_000
"""The newest entries of its project among which they are found: some seconds of the database's time."""
_TARGETS_MAX = 200
_SPAN = timedelta(days=7)
_SPAN_MAX = timedelta(days=92)


class RouteReport(msgspec.Struct, frozen=True):
    """The answer.

    Attributes:
        project: name of the project.
        since, until: the time that was asked for.
        compared: the targets.
        canary: ``provider/model`` of the alias as it is now, empty if it has none.
    """

    project: str
    since: datetime
    until: datetime
    compared: Compared
    canary: str


class RouteReports:
    """Reads the ledger of one project at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(
        self, organization_id: str, project: str, alias: str, *, since: datetime | None, until: datetime | None
    ) -> RouteReport:
        """What was asked under this name; of the last seven days, unless told otherwise.

        Raises:
            NotFoundError: there is no such project.
            UnprocessableError: the time is longer than three months, or none at all.
        """
        end = until or datetime.now(UTC)
        begin = since or end - _SPAN
        if not timedelta(0) < end - begin <= _SPAN_MAX:
            raise UnprocessableError(
                f"The time must be at the most {_SPAN_MAX.days} days, and begin before it ends.",
                next_step="Give another `since` or `until`.",
                param="since",
            )
        async with self._database.read() as session:
            owner = await require_project(session, organization_id, project)
            present = await aliases.find(session, organization_id, owner.id, alias)
            compared = await route_report.compare(
                session,
                organization_id=organization_id,
                project_id=owner.id,
                alias=alias,
                since=begin,
                until=end,
                entries_max=ENTRIES_MAX,
                read_max=_READ_MAX,
                targets_max=_TARGETS_MAX,
            )
        canary = ((present.route if present else None) or {}).get("canary") or {}
        return RouteReport(owner.name, begin, end, compared, canary.get("target", ""))
