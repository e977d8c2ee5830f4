"""Sum usage by project, key, model, provider, tag, day or hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from tollway.data import rollups
from tollway.data.rollups import Group, UsageFilter, UsageSum
from tollway.data.session import Database
from tollway.errors import UnprocessableError
from tollway.ledger.usage import KINDS, Usage
from tollway.services.ledger_query import key_id_of
from tollway.services.project_list import project_id_of

GROUPS_MAX = 10_000
"""Rows of one answer: beyond that a person wants a narrower question, and a program the export of the ledger."""
_HOUR = timedelta(hours=1)
_MEASURES = ("requests", "errors", "unpriced", "estimated", "charge_pico", "provider_cost_pico", "saved_pico")


class UsageQuestion(msgspec.Struct, frozen=True):
    """What to sum; ``None`` means any.

    Attributes:
        groups: what to tell apart; none gives the total alone.
        project, key: id or name.
        model: ``provider/model`` as sent upstream.
        tag: a tag's name, or ``name=value``.
        since, until: widened to whole hours.
    """

    groups: tuple[Group, ...] = ()
    project: str | None = None
    key: str | None = None
    model: str | None = None
    provider: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class UsageReport(msgspec.Struct, frozen=True):
    """The answer.

    Attributes:
        since, until: the range that was summed.
        rows: one for each group. By tag, a request counts once under each of its tags.
        total: of all requests that match, each counted once.
    """

    since: datetime | None
    until: datetime | None
    rows: Sequence[UsageSum]
    total: UsageSum


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_after(moment: datetime) -> datetime:
    return _hour(moment) if moment == _hour(moment) else _hour(moment) + _HOUR


def _is_midnight(moment: datetime | None) -> bool:
    return moment is None or moment.hour == 0


def _sum(rows: Sequence[UsageSum]) -> UsageSum:
    """Of groups of which each request is in one: spares the database to read everything again."""
    return UsageSum(
        **{name: sum(getattr(row, name) for row in rows) for name in _MEASURES},
        usage=Usage(**{kind: sum(getattr(row.usage, kind) for row in rows) for kind in KINDS}),
    )


class UsageQuery:
    """Reads the rollups of one organization at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage(self, organization_id: str, question: UsageQuestion) -> UsageReport:
        """The sums.

        Raises:
            NotFoundError: there is no such project or key.
            UnprocessableError: the answer would have more than `GROUPS_MAX` rows.
        """
        groups = tuple(dict.fromkeys(question.groups))
        since = None if question.since is None else _hour(question.since)
        until = None if question.until is None else _hour_after(question.until)
        hourly = Group.HOUR in groups or not _is_midnight(since) or not _is_midnight(until)
        if Group.HOUR in groups:
            groups = tuple(group for group in groups if group is not Group.DAY)
        name, _, value = (question.tag or "").partition("=")
        async with self._database.read() as session:
            wanted = UsageFilter(
                organization_id=organization_id,
                project_id=await project_id_of(session, organization_id, question.project),
                key_id=await key_id_of(session, organization_id, question.key, question.project),
                model=question.model,
                provider=question.provider,
                tag_name=name or None,
                tag_value=value or None,
                since=since,
                until=until,
            )
            rows: Sequence[UsageSum] = ()
            if groups:
                rows = await rollups.sums(session, wanted, groups, hourly=hourly, limit=GROUPS_MAX + 1)
            if groups and Group.TAG not in groups:
                total = _sum(rows)
            else:
                total = (await rollups.sums(session, wanted, (), hourly=hourly, limit=1))[0]
        if len(rows) > GROUPS_MAX:
            raise UnprocessableError(
                f"The answer has more than {GROUPS_MAX} rows.",
                next_step="Narrow the time or the filters, or group by less.",
                param="group_by",
            )
        return UsageReport(since, until, rows, total)
