"""SQL of the workers as operators see them."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, literal, select

from tollway.constants import WORKER_UNSEEN_S
from tollway.data.page import Page, paged
from tollway.data.schema.quota import QuotaRow
from tollway.data.schema.quota_window import QUOTA_LEASE
from tollway.data.schema.worker import WorkerRow
from tollway.data.session import ReadSession, WriteSession
from tollway.ledger.quota import Unit


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A worker.

    Attributes:
        id: name of its journal directory.
        host: its machine.
        started_at, seen_at: when it began, and when it last showed itself.
        alive: whether that was a moment ago.
        leases: windows of which it has a lease.
        leased: pico-dollars it has at hand or on hold, or spent without the ledger having it yet.
    """

    id: str
    host: str
    started_at: datetime
    seen_at: datetime
    alive: bool
    leases: int
    leased: int


_ALIVE: ColumnElement[bool] = WorkerRow.seen_at > func.clock_timestamp() - func.make_interval(
    0, 0, 0, 0, 0, 0, literal(WORKER_UNSEEN_S)
)
_UNSETTLED = QUOTA_LEASE.c.granted - QUOTA_LEASE.c.spent


def _workers() -> Select[WorkerRow, bool, int, int]:
    leases = (
        select(
            QUOTA_LEASE.c.worker_id,
            func.count().label("leases"),
            func.sum(case((QuotaRow.unit == Unit.USD.value, _UNSETTLED), else_=0)).label("leased"),
        )
        .join(QuotaRow, QuotaRow.id == QUOTA_LEASE.c.quota_id, isouter=True)
        .group_by(QUOTA_LEASE.c.worker_id)
        .subquery()
    )
    columns = (_ALIVE, func.coalesce(leases.c.leases, 0), func.coalesce(leases.c.leased, 0))
    return select(WorkerRow, *columns).join(leases, leases.c.worker_id == WorkerRow.id, isouter=True)


async def page(session: ReadSession, wanted: Page) -> list[WorkerRecord]:
    """A page of the workers that live, or died and were not released yet."""
    return [
        WorkerRecord(
            id=row.id,
            host=row.host,
            started_at=row.started_at,
            seen_at=row.seen_at,
            alive=alive,
            leases=leases,
            leased=int(leased),
        )
        for row, alive, leases, leased in await session.execute(paged(_workers(), WorkerRow.id, wanted))
    ]


async def lock(session: WriteSession, worker_id: str) -> bool | None:
    """Whether the worker is alive, ``None`` if there is none; it cannot show itself until the transaction ends."""
    statement = select(_ALIVE).where(WorkerRow.id == worker_id).with_for_update()
    return (await session.scalars(statement)).one_or_none()
