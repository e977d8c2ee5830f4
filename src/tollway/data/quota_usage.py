"""SQL of what is used of budgets and limits now, for people: reads without locks."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text

from tollway.data.page import Page
from tollway.data.session import AnySession


class Span(msgspec.Struct, frozen=True):
    """The windows of a quota that count at one moment: one of the clock, or the slots of a rolling one.

    Attributes:
        quota_id: UUID.
        generation: of the quota.
        first_us: start of the first window that counts.
        last_us: start of the last one.
    """

    quota_id: str
    generation: int
    first_us: int
    last_us: int


class Used(msgspec.Struct, frozen=True):
    """What is used; pico-dollars or counts.

    Attributes:
        settled: what the ledger has.
        leased: what workers were given and the ledger does not have yet.
        held: what of `leased` is held by running requests, as the workers last told.
    """

    settled: int = 0
    leased: int = 0
    held: int = 0


_SUMS = "coalesce(sum(w.settled), 0), coalesce(sum(w.granted), 0), coalesce(sum(leases.held), 0)"
_WINDOWS = """
    quota_window AS w
    LEFT JOIN LATERAL (
        SELECT sum(l.held) AS held FROM quota_lease AS l
        WHERE (l.quota_id, l.generation, l.subject, l.start_us) = (w.quota_id, w.generation, w.subject, w.start_us)
    ) AS leases ON true
"""
# Made of constants:
_USED = text(f"""
    SELECT w.quota_id::text, {_SUMS}
    FROM unnest(CAST(:ids AS uuid[]), CAST(:generations AS int[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
        AS span (quota_id, generation, first_us, last_us)
    JOIN {_WINDOWS} ON w.quota_id = span.quota_id AND w.generation = span.generation
        AND w.start_us BETWEEN span.first_us AND span.last_us
    GROUP BY w.quota_id
""")  # noqa: S608
_USED_BY_SUBJECT = text(f"""
    SELECT w.subject, {_SUMS}
    FROM {_WINDOWS}
    WHERE w.quota_id = CAST(:id AS uuid) AND w.generation = :generation
        AND w.start_us BETWEEN :first_us AND :last_us
        AND (CAST(:after AS text) IS NULL OR w.subject > :after)
    GROUP BY w.subject ORDER BY w.subject LIMIT :rows
""")  # noqa: S608


async def used(session: AnySession, spans: Sequence[Span]) -> dict[str, Used]:
    """Quota id → what is used of it, of all subjects together; one of which nothing was ever used is missing."""
    values = {
        "ids": [span.quota_id for span in spans],
        "generations": [span.generation for span in spans],
        "firsts": [span.first_us for span in spans],
        "lasts": [span.last_us for span in spans],
    }
    rows = await session.execute(_USED, values)
    return {row[0]: Used(*(int(value) for value in row[1:])) for row in rows}


async def used_by_subject(session: AnySession, span: Span, page: Page) -> Sequence[tuple[str, Used]]:
    """A page of ``(subject, what it used)`` in the order of subjects: one more than shown, if there is one."""
    values: dict[str, Any] = {
        "id": span.quota_id,
        "generation": span.generation,
        "first_us": span.first_us,
        "last_us": span.last_us,
        "after": page.after,
        "rows": page.limit + 1,
    }
    rows = await session.execute(_USED_BY_SUBJECT, values)
    return [(row[0], Used(int(row[1]), int(row[2]), int(row[3]))) for row in rows]
