"""What entries add to the rollups and take from budgets, summed up before the database sees it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from operator import add

import msgspec
from sqlalchemy import text

from tollway.data.ledger_row import without_nul
from tollway.data.rollup_sql import hourly_sums_of_sums, rollup_ctes
from tollway.data.schema.ledger_rollup import COUNTS, DIMENSIONS, MEASURES
from tollway.data.session import WriteSession
from tollway.data.settlements import Taken
from tollway.ledger.entry import LedgerEntry, Outcome, UsageSource

_HOUR_US, _HOUR_S = 3_600_000_000, 3_600
_TYPES = {
    "hour": "bigint",
    **{name: "uuid" if name.endswith("_id") else "text" for name in DIMENSIONS if name != "bucket"},
    "tags": "jsonb",
    **{name: "bigint" if name in COUNTS else "numeric" for name in MEASURES},
}
_TYPED = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
_COLUMNS = {name: name for name in (*DIMENSIONS, "tags")} | {name: f"coalesce({name}, 0)" for name in MEASURES}
_COLUMNS["bucket"] = f"to_timestamp(hour * {_HOUR_S})"
_HOURLY, _TAG_HOURLY = (hourly_sums_of_sums("alike", tagged=tagged) for tagged in (False, True))
_ADD = text(f"""
    WITH alike AS MATERIALIZED (
        SELECT {", ".join(f"{expression} AS {name}" for name, expression in _COLUMNS.items())}
        FROM json_to_recordset(CAST(:sums AS json)) AS given ({_TYPED})
    ), {rollup_ctes(hourly=_HOURLY, tag_hourly=_TAG_HOURLY)}
    SELECT
""")  # noqa: S608 - made of the names of our own columns

_Alike = tuple[int, str, str, str, str, str, tuple[tuple[str, str], ...]]


class LedgerCounts:
    """Sums over some entries.

    Attributes:
        taken: from budgets.
    """

    def __init__(self) -> None:
        self.taken: Taken = Counter()
        self._alike: defaultdict[_Alike, list[int]] = defaultdict(lambda: [0] * len(MEASURES))

    def add(self, entry: LedgerEntry) -> None:
        """Count one more entry."""
        alike = (
            entry.admitted_at_us // _HOUR_US,
            entry.organization_id,
            entry.project_id,
            entry.key_id,
            entry.provider,
            entry.model_sent,
            entry.tags,
        )
        outcome, sums = entry.outcome, self._alike[alike]
        measures = (
            1,
            outcome is not Outcome.OK and outcome is not Outcome.CLIENT_LEFT,
            not entry.priced,
            entry.usage_source is UsageSource.ESTIMATED,
            *msgspec.structs.astuple(entry.usage),
            entry.charge,
            entry.provider_cost or 0,
            entry.saved,
        )
        sums[:] = map(add, sums, measures)
        for settlement in entry.settlements:
            self.taken[settlement.windows, settlement.leased] += settlement.amount

    async def save_rollups(self, session: WriteSession) -> None:
        """Add to all rollups, within a transaction. Locks their rows in the order of their keys."""
        sums = [_object(alike, sums) for alike, sums in self._alike.items()]
        await session.execute(_ADD, {"sums": msgspec.json.encode(sums).decode()})


def _object(alike: _Alike, sums: list[int]) -> Mapping[str, object]:
    """Without the measures that are zero, as most are."""
    hour, organization_id, project_id, key_id, provider, model_sent, tags = alike
    return {
        "hour": hour,
        "organization_id": organization_id,
        "project_id": project_id,
        "key_id": key_id,
        "provider": without_nul(provider),
        "model": without_nul(f"{provider}/{model_sent}"),
        "tags": {without_nul(name): without_nul(value) for name, value in tags},
        **{name: value for name, value in zip(MEASURES, sums, strict=True) if value},
    }
