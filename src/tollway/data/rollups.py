"""SQL that reads the rollups."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Table, func, select

from tollway.data.schema.key import ApiKey
from tollway.data.schema.ledger_entry import usage_column
from tollway.data.schema.ledger_rollup import (
    MEASURES,
    USAGE_DAILY,
    USAGE_HOURLY,
    USAGE_TAG_DAILY,
    USAGE_TAG_HOURLY,
)
from tollway.data.schema.project import Project
from tollway.data.session import ReadSession
from tollway.ledger.usage import KINDS, Usage


class Group(StrEnum):
    """What usage can be told apart by."""

    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    TAG = "tag"
    DAY = "day"
    HOUR = "hour"


class UsageFilter(msgspec.Struct, frozen=True):
    """Which usage; ``None`` means any.

    Attributes:
        organization_id: always given.
        model: ``provider/model`` as sent upstream.
        tag_name, tag_value: requests with this tag.
        since, until: buckets that begin in ``[since, until)``.
    """

    organization_id: str
    project_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    provider: str | None = None
    tag_name: str | None = None
    tag_value: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class UsageSum(msgspec.Struct, frozen=True):
    """Sums of one group. Only the fields that were grouped by have a value, and ids have the present name beside them.

    Attributes:
        bucket: begin of the hour or day.
        estimated: requests not counted by the provider.
        charge_pico, provider_cost_pico, saved_pico: pico-dollars.
    """

    requests: int
    errors: int
    unpriced: int
    estimated: int
    usage: Usage
    charge_pico: int
    provider_cost_pico: int
    saved_pico: int
    bucket: datetime | None = None
    project_id: str | None = None
    project: str | None = None
    key_id: str | None = None
    key: str | None = None
    model: str | None = None
    provider: str | None = None
    tag_name: str | None = None
    tag_value: str | None = None


_BY_GROUP: dict[Group, tuple[str, ...]] = {
    Group.PROJECT: ("project_id",),
    Group.KEY: ("key_id",),
    Group.MODEL: ("model",),
    Group.PROVIDER: ("provider",),
    Group.TAG: ("tag_name", "tag_value"),
    Group.DAY: ("bucket",),
    Group.HOUR: ("bucket",),
}


def _table(*, hourly: bool, tagged: bool) -> Table:
    if tagged:
        return USAGE_TAG_HOURLY if hourly else USAGE_TAG_DAILY
    return USAGE_HOURLY if hourly else USAGE_DAILY


def _narrowed(statement: Select[Any], table: Table, wanted: UsageFilter) -> Select[Any]:
    column = table.c
    for name in ("organization_id", "project_id", "key_id", "model", "provider", "tag_name", "tag_value"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(column[name] == value)
    if wanted.since is not None:
        statement = statement.where(column.bucket >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(column.bucket < wanted.until)
    return statement


async def sums(
    session: ReadSession, wanted: UsageFilter, groups: Sequence[Group], *, hourly: bool, limit: int
) -> Sequence[UsageSum]:
    """The sums by these groups: in the order of time if that is one of them, then the dearest first.

    Args:
        session: any.
        wanted: which usage. `tag_name` may only be given if requests are to be told by tag.
        groups: none gives one row, the total.
        hourly: read the hourly sums; ``since`` and ``until`` need not be midnight then, and `Group.DAY` must be absent.
        limit: rows at the most.
    """
    tagged = Group.TAG in groups or wanted.tag_name is not None
    table = _table(hourly=hourly, tagged=tagged)
    names = list(dict.fromkeys(name for group in groups for name in _BY_GROUP[group]))
    columns: list[ColumnElement[Any]] = [table.c[name] for name in names]
    if hourly and Group.DAY in groups:
        columns = [
            func.date_trunc("day", part, "UTC").label("bucket") if part.name == "bucket" else part for part in columns
        ]
    summed = [func.coalesce(func.sum(table.c[measure]), 0).label(measure) for measure in MEASURES]
    grouped = _narrowed(select(*columns, *summed), table, wanted).group_by(*columns)
    if not columns:
        grouped = _narrowed(select(*summed), table, wanted)
    inner = grouped.subquery()
    statement = select(inner)
    if "project_id" in names:
        statement = statement.add_columns(Project.name.label("project")).outerjoin(
            Project, Project.id == inner.c.project_id
        )
    if "key_id" in names:
        statement = statement.add_columns(ApiKey.name.label("key")).outerjoin(ApiKey, ApiKey.id == inner.c.key_id)
    order = [inner.c.bucket] if "bucket" in names else []
    statement = statement.order_by(
        *order, inner.c.charge_pico.desc(), inner.c.requests.desc(), *inner.c[*names] if names else ()
    )
    return [_sum(row._mapping) for row in (await session.execute(statement.limit(limit))).all()]  # noqa: SLF001 -- public


def _sum(values: Any) -> UsageSum:
    named = ("bucket", "project_id", "project", "key_id", "key", "model", "provider", "tag_name", "tag_value")
    return UsageSum(
        requests=int(values["requests"]),
        errors=int(values["errors"]),
        unpriced=int(values["unpriced"]),
        estimated=int(values["estimated"]),
        usage=Usage(**{kind: int(values[usage_column(kind)]) for kind in KINDS}),
        charge_pico=int(values["charge_pico"]),
        provider_cost_pico=int(values["provider_cost_pico"]),
        saved_pico=int(values["saved_pico"]),
        **{name: values[name] for name in named if name in values},
    )
