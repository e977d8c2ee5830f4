"""SQL that compares the targets of an alias by what the ledger has of them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import text

from tollway.constants import SHADOW_TAG
from tollway.data.schema.ledger_entry import usage_column
from tollway.data.session import ReadSession
from tollway.ledger.entry import Outcome, UsageSource
from tollway.ledger.usage import INPUT_KINDS, OUTPUT_KINDS

_FINE = (Outcome.OK, Outcome.CLIENT_LEFT)
"""Endings that are nobody's fault but the caller's, if anybody's."""


class TargetSums(msgspec.Struct, frozen=True):
    """What one target did. Times in microseconds, money in pico-dollars.

    Attributes:
        provider, model: the target.
        shadow: whether it was asked with copies.
        requests: entries whose last attempt was here.
        errors: of them, those that ended badly.
        estimated: of them, those whose counts are estimates.
        input_tokens, output_tokens, charge: their sums.
        first_byte_p50, first_byte_p95, duration_p50, duration_p95: of those that ended well; ``None`` without any.
        attempts: made here, those that another target made good among them.
        failed_attempts: of them, those that failed.
    """

    provider: str
    model: str
    shadow: bool
    requests: int
    errors: int
    estimated: int
    input_tokens: int
    output_tokens: int
    charge: int
    first_byte_p50: int | None
    first_byte_p95: int | None
    duration_p50: int | None
    duration_p95: int | None
    attempts: int
    failed_attempts: int


class Compared(msgspec.Struct, frozen=True):
    """The answer.

    Attributes:
        entries: how many of the name there were.
        oldest: when the oldest was admitted.
        whole: whether these are all: not where a bound was reached.
        targets: who was asked.
    """

    entries: int
    oldest: datetime | None
    whole: bool
    targets: Sequence[TargetSums]


def _sum_of(kinds: Sequence[str]) -> str:
    return " + ".join(usage_column(kind) for kind in kinds)


_PICKED = """
    SELECT admitted_at, provider, model_sent, tags ? :shadow_tag AS shadow, outcome, usage_source, charge_pico,
        first_byte_us, duration_us, attempts, outcome = ANY(:fine) AS fine,
        ({inputs})::bigint AS input_tokens, ({outputs})::bigint AS output_tokens
    FROM (
        SELECT * FROM ledger_entry
        WHERE project_id = :project_id AND admitted_at >= :since AND admitted_at < :until
        ORDER BY admitted_at DESC LIMIT :read_max
    ) AS newest
    WHERE organization_id = :organization_id AND model_asked = :alias AND NOT (outcome = :ok AND usage_source = :cached)
    ORDER BY admitted_at DESC LIMIT :entries_max
"""
_WHOLE = """
    (SELECT count(*) FROM picked) < :entries_max AND (
        SELECT count(*) FROM (
            SELECT FROM ledger_entry
            WHERE project_id = :project_id AND admitted_at >= :since AND admitted_at < :until LIMIT :read_max
        ) AS newest
    ) < :read_max
"""
# Made of constants:
_FIELDS = TargetSums.__struct_fields__
_QUERY = text(f"""
    WITH picked AS MATERIALIZED ({_PICKED.format(inputs=_sum_of(INPUT_KINDS), outputs=_sum_of(OUTPUT_KINDS))}),
    served AS (
        SELECT provider, model_sent AS model, shadow, count(*) AS requests,
            count(*) FILTER (WHERE NOT fine) AS errors,
            count(*) FILTER (WHERE usage_source = 'estimated') AS estimated,
            sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,
            sum(charge_pico)::numeric AS charge,
            percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY first_byte_us) FILTER (WHERE fine) AS first_byte,
            percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_us) FILTER (WHERE fine) AS duration
        FROM picked GROUP BY provider, model_sent, shadow
    ),
    tried AS (
        SELECT attempt->>'provider' AS provider, attempt->>'model' AS model, shadow, count(*) AS attempts,
            count(*) FILTER (WHERE attempt->>'error' <> '') AS failed
        FROM picked, jsonb_array_elements(attempts) AS attempt GROUP BY 1, 2, 3
    )
    SELECT provider, model, shadow, coalesce(requests, 0), coalesce(errors, 0), coalesce(estimated, 0),
        coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(charge, 0) AS charge,
        first_byte[1], first_byte[2], duration[1], duration[2], coalesce(attempts, 0), coalesce(failed, 0),
        (SELECT count(*) FROM picked) AS entries, (SELECT min(admitted_at) FROM picked) AS oldest,
        {_WHOLE} AS whole
    FROM (VALUES (true)) AS always LEFT JOIN (served FULL JOIN tried USING (provider, model, shadow)) ON true
    ORDER BY shadow, coalesce(requests, 0) DESC, provider, model
    LIMIT :targets_max
""")  # noqa: S608


async def compare(
    session: ReadSession,
    *,
    organization_id: str,
    project_id: str,
    alias: str,
    since: datetime,
    until: datetime,
    entries_max: int,
    read_max: int,
    targets_max: int,
) -> Compared:
    """The targets that were asked under this name; the response cache is none.

    Of the newest entries: at the most `entries_max` of the name, among `read_max` of the project.
    """
    values = {
        "organization_id": organization_id,
        "project_id": project_id,
        "alias": alias,
        "since": since,
        "until": until,
        "entries_max": entries_max,
        "read_max": read_max,
        "targets_max": targets_max,
        "shadow_tag": SHADOW_TAG,
        "ok": Outcome.OK.value,
        "cached": UsageSource.NONE.value,  # of an answer, nobody counted only the one that the response cache gave
        "fine": [outcome.value for outcome in _FINE],
    }
    rows = (await session.execute(_QUERY, values)).all()
    targets = [
        TargetSums(**dict(zip(_FIELDS, row, strict=False)) | {"charge": int(row.charge)})
        for row in rows
        if row.provider
    ]
    return Compared(rows[0].entries, rows[0].oldest, rows[0].whole, targets)
