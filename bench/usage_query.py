"""``python -m bench.usage_query``: how long usage by day and model takes over ten million ledger entries.

The entries are made by SQL, a day at a time, and summed by the very statements with which the drain adds to the
rollups. For comparison the same question is put to the entries themselves, once.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bench.machine import describe
from tollway.data.rollup_sql import rollup_ctes, sums_of_entries
from tollway.data.rollups import Group
from tollway.data.session import Database, create_engine
from tollway.ids import uuid7
from tollway.ledger.usage import KINDS
from tollway.services.migrate import migrate
from tollway.services.usage_query import UsageQuery, UsageQuestion
from tollway.supervisor.postgres import EmbeddedPostgres

DAYS, KEYS, PROJECTS, MODELS, TEAMS = 31, 100, 10, 8, 5
ROUNDS = 50
STEP_MAX = 100_000
STATEMENT_TIMEOUT_S = 600.0

_VALUES = {
    "admitted_at": "%(day)s::timestamptz + (n %% 86400) * interval '1 second'",
    "entry_id": "gen_random_uuid()",
    "request_id": "'request-' || n",
    "organization_id": "%(organization_id)s::uuid",
    "project_id": f"md5('project' || n %% {PROJECTS})::uuid",
    "key_id": f"md5('key' || n %% {KEYS})::uuid",
    "surface": "'chat'",
    "model_asked": "'fast'",
    "provider": "'openai'",
    "model_sent": f"'model-' || n / 7 %% {MODELS}",
    "model_answered": "''",
    "user_tag": "''",
    "tags": f"jsonb_build_object('team', 'team-' || n %% {TEAMS})",
    "stream": "false",
    "outcome": "'ok'",
    "status": "200",
    "error": "''",
    "attempts": "'[]'",
    **{f"usage_{kind}": "0" for kind in KINDS},
    "usage_input": "n %% 4000",
    "usage_output": "n %% 800",
    "usage_source": "'provider'",
    "priced": "true",
    "charge_pico": "n::bigint * 1000003 %% 1000000000",
    "lines": "'[]'",
    "provider_cost_pico": "NULL",
    "duration_us": "100000",
    "first_byte_us": "NULL",
    "request_bytes": "1000",
    "response_bytes": "700",
}
_HOURLY, _TAG_HOURLY = (sums_of_entries("inserted", unit="hour", tagged=tagged) for tagged in (False, True))
_FILL = f"""
    WITH inserted AS (
        INSERT INTO ledger_entry ({", ".join(_VALUES)})
        SELECT {", ".join(_VALUES.values())} FROM generate_series(%(first)s::int, %(last)s::int) AS n
        RETURNING *
    ), {rollup_ctes(hourly=_HOURLY, tag_hourly=_TAG_HOURLY)}
    SELECT count(*) FROM inserted
"""  # noqa: S608 - made of our own names
_RAW = """
    SELECT date_trunc('day', admitted_at, 'UTC'), provider || '/' || model_sent, count(*), sum(charge_pico)
    FROM ledger_entry WHERE organization_id = %s GROUP BY 1, 2
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.usage_query", description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    given = parser.parse_args()
    print(describe().sentence)
    with tempfile.TemporaryDirectory(prefix="tollway-usage-") as folder:
        data_dir = Path(folder)
        data_dir.chmod(0o711)  # PostgreSQL, started by root, runs as somebody else and must reach its directory
        asyncio.run(_measure(data_dir, given.entries))


async def _measure(data_dir: Path, entries: int) -> None:
    organization_id = uuid7()
    async with EmbeddedPostgres(data_dir) as server:
        await asyncio.to_thread(migrate, server.owner_url)
        raw_s = await asyncio.to_thread(_fill, server.owner_url, organization_id, entries)
        database = Database(create_engine(server.app_url, pool_size=1, timeout_s=STATEMENT_TIMEOUT_S))
        times_ms: list[float] = []
        question = UsageQuestion(groups=(Group.DAY, Group.MODEL))
        for _ in range(ROUNDS):
            began_s = time.perf_counter()
            report = await UsageQuery(database).usage(organization_id, question)
            times_ms.append((time.perf_counter() - began_s) * 1_000)
        await database.close()
    counted = sum(row.requests for row in report.rows)
    print(
        f"usage by day and model, {counted:,} entries, {len(report.rows)} rows: "
        f"median {statistics.median(times_ms):.1f} ms, slowest of {ROUNDS} {max(times_ms):.1f} ms; "
        f"from the entries themselves {raw_s * 1_000:,.0f} ms"
    )


def _fill(url: str, organization_id: str, entries: int) -> float:
    """Make the entries and their rollups; returns the seconds that the question takes without rollups."""
    with psycopg.connect(url, autocommit=True, options="-c synchronous_commit=off -c timezone=UTC") as connection:
        for index in ("request_id", "organization", "project", "key"):  # only the rollups are asked; this is faster
            connection.execute(f"DROP INDEX ix_ledger_entry_{index}")
        made = 0
        while made < entries:
            day = f"2026-01-{made * DAYS // entries + 1:02}"
            connection.execute("SELECT ledger_partition_make(%s)", [day])
            last = min(made + min(STEP_MAX, max(entries // DAYS, 1)), entries)
            values = {"day": day, "organization_id": organization_id, "first": made + 1, "last": last}
            connection.execute(_FILL, values)
            made = last
            print(f"\r{made:,} of {entries:,} entries made", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        connection.execute("VACUUM ANALYZE")
        began_s = time.perf_counter()
        connection.execute(_RAW, [organization_id]).fetchall()
        return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
