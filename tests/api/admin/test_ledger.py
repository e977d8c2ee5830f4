import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import ControlPlane, control_plane
from support.entries import an_entry
from support.ledger import write_journal
from support.postgres import PostgresServer
from tollway.ids import uuid7
from tollway.ledger.entry import LedgerEntry, Outcome, UsageSource

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


def ids_of(plane: ControlPlane, organization: str) -> dict[str, str]:
    admin = f"{organization}-admin"
    me = plane.must("GET", "/me", as_=admin)
    project = plane.must("GET", "/projects/web", as_=admin)
    key = plane.must("GET", f"/keys/{organization}-inference", as_=admin)
    return {"organization_id": me["organization_id"], "project_id": project["id"], "key_id": key["id"]}


def book(plane: ControlPlane, data_dir: Path, entries: list[LedgerEntry]) -> None:
    async def work() -> None:
        await write_journal(data_dir, entries)
        drain = plane.factory.drain()
        while (await drain.pass_over()).more:
            pass
        drain.close()

    plane.run(work)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plane")


@pytest.fixture(scope="module")
def plane(postgres_server: PostgresServer, data_dir: Path) -> Iterator[ControlPlane]:
    """One for all tests of this module: they only read."""
    urls = postgres_server.create()
    with control_plane(urls.app, data_dir) as opened:
        yield opened
    postgres_server.drop(urls)


@pytest.fixture(scope="module")
def acme(plane: ControlPlane, data_dir: Path) -> list[LedgerEntry]:
    """Five requests of acme, an hour apart, oldest first, and one of its rival."""
    mine, rivals = ids_of(plane, "acme"), ids_of(plane, "rival")
    moments = [int((NOON + timedelta(hours=number)).timestamp() * 1_000_000) for number in range(5)]
    entries = [an_entry(**mine, admitted_at_us=moment) for moment in moments[:3]]
    entries.append(
        an_entry(
            **mine,
            admitted_at_us=moments[3],
            provider="local",
            model_sent="smollm2",
            outcome=Outcome.UPSTREAM_ERROR,
            status=502,
            priced=False,
            user_tag='=HYPERLINK("http://evil")',
            tags=(("env", "test"), ("team", "search")),
        )
    )
    entries.append(an_entry(**mine, admitted_at_us=moments[4], tags=(), usage_source=UsageSource.ESTIMATED))
    book(plane, data_dir, [*entries, an_entry(**rivals, admitted_at_us=moments[0])])
    return entries


def shown_ids(answer: dict[str, Any]) -> list[str]:
    return [entry["entry_id"] for entry in answer["data"]]


def ids(entries: list[LedgerEntry]) -> list[str]:
    return [entry.entry_id for entry in entries]


def test_pages_hold_every_entry_once_newest_first(plane: ControlPlane, acme: list[LedgerEntry]) -> None:
    found, cursor = [], ""
    while True:
        page = plane.must("GET", f"/ledger/entries?limit=2{cursor}", as_="acme-read")
        assert len(page["data"]) <= 2
        found += shown_ids(page)
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ids(acme[::-1])


def test_an_entry_is_shown_with_names_and_exact_money(plane: ControlPlane, acme: list[LedgerEntry]) -> None:
    shown = plane.must("GET", "/ledger/entries?limit=1")["data"][0]
    assert (shown["project"], shown["key"]) == ("web", "acme-inference")
    assert shown["admitted_at"] == "2026-05-06T16:00:00Z"
    assert shown["charge_usd"] == "0.00018"
    assert shown["usage"] == {"input": 1_000, "output": 200, "requests": 1}
    assert (shown["input_tokens"], shown["output_tokens"]) == (1_000, 200)
    assert shown["entry_id"] == acme[-1].entry_id
    assert [line["amount_usd"] for line in shown["lines"]] == ["0.00015", "0.00003"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("project=web&key=acme-inference", [4, 3, 2, 1, 0]),
        ("provider=local", [3]),
        ("model=local/smollm2", [3]),
        ("model=gpt-4o-mini", [4, 2, 1, 0]),
        ("model=fast", [4, 3, 2, 1, 0]),
        ("outcome=upstream_error", [3]),
        ("since=2026-05-06T13:00:00Z&until=2026-05-06T15:00:00Z", [2, 1]),
        ("provider=nobody", []),
    ],
)
def test_filters_narrow(plane: ControlPlane, acme: list[LedgerEntry], query: str, expected: list[int]) -> None:
    found = shown_ids(plane.must("GET", f"/ledger/entries?{query}"))
    assert found == [acme[number].entry_id for number in expected]


def test_a_request_is_explained(plane: ControlPlane, acme: list[LedgerEntry]) -> None:
    (shown,) = plane.must("GET", f"/ledger/entries/{acme[0].request_id}")["data"]
    assert shown["agrees"]
    assert shown["recomputed_usd"] == shown["charge_usd"] == "0.00018"
    assert shown["lines"][0]["arithmetic"] == "1,000 x 0.15 USD / 1,000,000 = 0.00015 USD"


def test_another_tenants_entries_are_not_there(plane: ControlPlane, acme: list[LedgerEntry]) -> None:
    assert plane("GET", f"/ledger/entries/{acme[0].request_id}", as_="rival-admin").status_code == 404
    assert plane("GET", f"/ledger/entries/{uuid7()}").status_code == 404
    assert len(plane.must("GET", "/ledger/entries", as_="rival-read")["data"]) == 1
    assert plane.must("GET", f"/ledger/entries?request_id={acme[0].request_id}", as_="rival-read")["data"] == []
    assert plane("GET", f"/ledger/entries?key={acme[0].key_id}", as_="rival-read").status_code == 404
    assert plane.must("GET", "/usage", as_="rival-read")["total"]["requests"] == 1


def test_a_key_for_inference_reads_no_ledger(plane: ControlPlane) -> None:
    for path in ("/ledger/entries", "/ledger/export", "/ledger/audit", "/usage"):
        assert plane("GET", path, as_="acme-inference").status_code == 403
        assert plane("GET", path, as_=None).status_code == 401


def test_json_lines_hold_every_entry_oldest_first(plane: ControlPlane, acme: list[LedgerEntry]) -> None:
    answer = plane("GET", "/ledger/export?format=jsonl")
    assert answer.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["entry_id"] for line in lines] == ids(acme)
    assert lines[3]["tags"] == {"env": "test", "team": "search"}


def test_csv_can_be_opened_in_a_spreadsheet_without_running_formulas(
    plane: ControlPlane, acme: list[LedgerEntry]
) -> None:
    answer = plane("GET", "/ledger/export?format=csv&since=2026-05-06T13:00:00Z")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "ledger.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["entry_id"] for row in rows] == ids(acme[1:])
    assert rows[2]["user"] == '\'=HYPERLINK("http://evil")'
    assert rows[2]["usage_input"] == "1000"
    assert rows[2]["charge_usd"] == "0.00018"
    assert json.loads(rows[2]["tags"]) == {"env": "test", "team": "search"}


def test_an_export_longer_than_one_read_is_whole(database_url: str, tmp_path: Path) -> None:
    with control_plane(database_url, tmp_path) as plane:
        mine = ids_of(plane, "acme")
        same_moment = int(NOON.timestamp() * 1_000_000)
        entries = [an_entry(**mine, admitted_at_us=same_moment) for _ in range(1_203)]
        book(plane, tmp_path, entries)
        exported = [json.loads(line)["entry_id"] for line in plane("GET", "/ledger/export").text.splitlines()]
    assert exported == sorted(ids(entries))


def test_the_audit_agrees_with_a_sound_ledger(plane: ControlPlane, acme: list[LedgerEntry]) -> None:
    audit = plane.must("GET", "/ledger/audit?since=2026-05-06T00:00:00Z&until=2026-05-07T00:00:00Z")
    assert audit["agrees"] is True
    assert audit["entries"] == len(acme)


@pytest.mark.usefixtures("acme")
class TestUsage:
    def test_the_total_counts_every_request_once(self, plane: ControlPlane) -> None:
        usage = plane.must("GET", "/usage", as_="acme-read")
        assert usage["data"] == []
        total = usage["total"]
        assert (total["requests"], total["errors"], total["unpriced"], total["estimated"]) == (5, 1, 1, 1)
        assert total["charge_usd"] == "0.0009"
        assert (total["input_tokens"], total["output_tokens"]) == (5_000, 1_000)

    @pytest.mark.parametrize(
        ("query", "field", "expected"),
        [
            ("group_by=model", "model", {"openai/gpt-4o-mini": 4, "local/smollm2": 1}),
            ("group_by=provider", "provider", {"openai": 4, "local": 1}),
            ("group_by=project", "project", {"web": 5}),
            ("group_by=key", "key", {"acme-inference": 5}),
            ("group_by=day", "day", {"2026-05-06": 5}),
            ("group_by=hour", "hour", {f"2026-05-06T{hour}:00:00Z": 1 for hour in range(12, 17)}),
            ("group_by=tag", "tag", {"team=search": 4, "env=test": 1}),
            ("group_by=model&tag=env", "model", {"local/smollm2": 1}),
            ("group_by=model&tag=team%3Dsearch", "model", {"openai/gpt-4o-mini": 3, "local/smollm2": 1}),
            ("group_by=day&since=2026-05-06T12:30:00Z&until=2026-05-06T13:30:00Z", "day", {"2026-05-06": 2}),
            ("group_by=provider&model=local/smollm2", "provider", {"local": 1}),
        ],
    )
    def test_usage_is_told_apart(self, plane: ControlPlane, query: str, field: str, expected: dict[str, int]) -> None:
        usage = plane.must("GET", f"/usage?{query}")
        assert {row[field]: row["requests"] for row in usage["data"]} == expected
        if "tag" not in query:
            assert usage["total"]["requests"] == sum(expected.values())

    def test_by_tag_the_total_still_counts_a_request_once(self, plane: ControlPlane) -> None:
        assert plane.must("GET", "/usage?group_by=tag")["total"]["requests"] == 5
        assert plane.must("GET", "/usage?group_by=tag&tag=team")["total"]["requests"] == 4

    def test_several_groups_cross(self, plane: ControlPlane) -> None:
        rows = plane.must("GET", "/usage?group_by=hour&group_by=day&group_by=provider&group_by=project")["data"]
        assert len(rows) == 5
        assert {(row["day"], row["provider"]) for row in rows} == {("2026-05-06", "openai"), ("2026-05-06", "local")}

    def test_values_that_cannot_be_used_are_refused(self, plane: ControlPlane) -> None:
        for query in ("group_by=colour", "since=yesterday", "model=%00", "project=no-such"):
            answer = plane("GET", f"/usage?{query}")
            assert answer.status_code == (404 if "no-such" in query else 422), query
        assert plane("GET", "/ledger/entries?cursor=1").status_code == 422
