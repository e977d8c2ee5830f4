from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg

from support.entries import an_entry
from support.ledger import a_drain, write_journal
from support.postgres import DatabaseUrls
from tollway.data.session import Database
from tollway.ids import uuid7
from tollway.ledger.entry import LedgerEntry, Outcome, UsageSource
from tollway.ledger.usage import KINDS, Usage
from tollway.services.ledger_audit import LedgerAudit


async def stored(database: Database, data_dir: Path, entries: list[LedgerEntry]) -> None:
    await write_journal(data_dir, entries)
    drain = a_drain(database, data_dir, batch_entries=7)
    await drain.pass_over()
    drain.close()


async def test_rollups_of_every_kind_of_entry_are_the_sums_of_the_entries(database: Database, tmp_path: Path) -> None:
    organization_id = uuid7()
    now = datetime.now(UTC)
    entries = [
        an_entry(
            organization_id=organization_id,
            admitted_at_us=int((now - timedelta(hours=number)).timestamp() * 1_000_000),
            outcome=list(Outcome)[number % 8],
            priced=bool(number % 3),
            provider_cost=number or None,
            saved=number % 5,
            usage=Usage(**{kind: number + place for place, kind in enumerate(KINDS)}),
            usage_source=list(UsageSource)[number % 3],
            model_sent=("gpt-4o", "nul\0", 'quoted "\\"')[number % 3],
            tags=tuple((f"tag{n}", "x\0") for n in range(number % 4)) + (("tag0", "twice"),) * (number % 2),
        )
        for number in range(40)
    ]
    await stored(database, tmp_path, [*entries, an_entry()])
    audit = await LedgerAudit(database).audit(organization_id)
    assert audit.entries == 40
    assert audit.agrees


async def test_a_rollup_that_was_changed_is_shown_with_both_values(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    entry, other = an_entry(), an_entry()
    await stored(database, tmp_path, [entry, other])
    with psycopg.connect(database_urls.owner) as connection:
        changed = "UPDATE usage_daily SET requests = requests + 5 WHERE organization_id = %s"
        connection.execute(changed, [entry.organization_id])
        connection.execute("DELETE FROM usage_tag_hourly WHERE organization_id = %s", [entry.organization_id])
    audit = await LedgerAudit(database).audit(entry.organization_id)
    by_table = {difference.rollup: difference for difference in audit.differences}
    assert by_table.keys() == {"usage_daily", "usage_tag_hourly"}
    assert by_table["usage_daily"].expected == {"requests": 1}
    assert by_table["usage_daily"].stored == {"requests": 6}
    assert by_table["usage_daily"].key["model"] == "openai/gpt-4o-mini"
    assert by_table["usage_tag_hourly"].stored["charge_pico"] is None
    assert by_table["usage_tag_hourly"].expected["charge_pico"] == entry.charge
    assert (await LedgerAudit(database).audit(other.organization_id)).agrees


async def test_a_charge_that_does_not_follow_from_its_lines_is_shown(database: Database, tmp_path: Path) -> None:
    sound = an_entry()
    wrong_sum = an_entry(organization_id=sound.organization_id, charge=sound.charge + 1)
    first, second = sound.lines
    moved = (
        msgspec.structs.replace(first, amount=first.amount + 1),
        msgspec.structs.replace(second, amount=second.amount - 1),
    )
    wrong_line = an_entry(organization_id=sound.organization_id, lines=moved)
    await stored(database, tmp_path, [sound, wrong_sum, wrong_line])
    audit = await LedgerAudit(database).audit(sound.organization_id)
    assert not audit.differences
    found = {wrong.entry_id: (wrong.charge_pico, wrong.recomputed_pico) for wrong in audit.wrong_charges}
    assert found == {
        wrong_sum.entry_id: (sound.charge + 1, sound.charge),
        wrong_line.entry_id: (sound.charge, sound.charge),
    }


async def test_the_range_is_widened_to_whole_days(database: Database) -> None:
    since = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    audit = await LedgerAudit(database).audit(uuid7(), since=since, until=since + timedelta(hours=1))
    assert (audit.since, audit.until) == (datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC))
