"""What would happen to a request, and how the targets of an alias compare."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import ControlPlane, control_plane
from support.entries import an_entry
from support.ledger import write_journal
from support.postgres import PostgresServer
from tollway.constants import SHADOW_TAG
from tollway.ledger.entry import Attempt, LedgerEntry, Outcome, UsageSource
from tollway.ledger.usage import INPUT_KINDS, KINDS, OUTPUT_KINDS, Usage
from tollway.services import route_report

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
SPAN = {"since": "2026-05-06T00:00:00Z", "until": "2026-05-07T00:00:00Z"}
CANARY = {"targets": [{"provider": "upstream", "model": "one"}, {"provider": "upstream", "model": "new"}]}
CANARY |= {"canary": {"target": "upstream/new", "percent": 5}}


def entries(**mine: Any) -> Iterator[LedgerEntry]:
    """Three answers of ``one``, one of ``new`` that failed, one of ``new`` for which ``one`` stood in, and a shadow.

    And one that the response cache gave in the place of ``one``, which nobody was asked for.
    """
    minute = timedelta(minutes=1)

    def entry(number: int, model: str, **changes: Any) -> LedgerEntry:
        told = {"admitted_at_us": int((NOON + number * minute).timestamp() * 1_000_000), "model_asked": "fast"}
        told |= {"provider": "upstream", "model_sent": model, "attempts": (Attempt("upstream", model, 200, "", 1),)}
        return an_entry(**mine | told | changes)

    for number, first_byte_us in enumerate((10_000, 20_000, 30_000)):
        yield entry(number, "one", first_byte_us=first_byte_us, duration_us=first_byte_us * 2)
    free = {"usage": Usage(requests=0), "usage_source": UsageSource.NONE, "charge": 0, "lines": (), "attempts": ()}
    yield entry(3, "one", first_byte_us=30, duration_us=40, saved=180_000_000, **free)
    failed = Attempt("upstream", "new", 500, "upstream_error", 9)
    yield entry(4, "new", outcome=Outcome.UPSTREAM_ERROR, status=500, charge=0, usage=Usage(), attempts=(failed,))
    yield entry(5, "one", attempts=(failed, Attempt("upstream", "one", 200, "", 5)), first_byte_us=40_000)
    yield entry(6, "other", tags=((SHADOW_TAG, "x"),))
    yield entry(7, "one", model_asked="slow")
    yield entry(60 * 24, "one")


@pytest.fixture(scope="module")
def plane(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One for all tests of this module: they only read."""
    urls = postgres_server.create()
    data_dir = tmp_path_factory.mktemp("plane")
    with control_plane(urls.app, data_dir) as opened:
        opened.must("PUT", "/aliases/web/fast", json={"route": CANARY})
        opened.run(lambda: _book(opened, data_dir))
        yield opened
    postgres_server.drop(urls)


async def _book(plane: ControlPlane, data_dir: Path) -> None:
    for organization in ("acme", "rival"):
        me = await plane.factory.authenticator_uncached().authenticate(plane.keys[f"{organization}-inference"].encode())
        mine = {"organization_id": me.organization_id, "project_id": me.project_id, "key_id": me.key_id}
        wanted = list(entries(**mine))
        await write_journal(data_dir, wanted if organization == "acme" else wanted[:1])
    drain = plane.factory.drain()
    while (await drain.pass_over()).more:
        pass
    drain.close()


def report(plane: ControlPlane, **query: str) -> dict[str, Any]:
    return plane.must("GET", "/route/report", params={"alias": "fast", "project": "web"} | SPAN | query)


def test_targets_are_compared_by_cost_latency_and_errors(plane: ControlPlane) -> None:
    found = report(plane)
    one, new, shadow = found["data"]
    assert (one["target"], one["role"], new["target"], new["role"]) == (
        "upstream/one",
        "target",
        "upstream/new",
        "canary",
    )
    assert (shadow["target"], shadow["role"], shadow["requests"]) == ("upstream/other", "shadow", 1)
    assert (one["requests"], one["errors"], one["attempts"], one["failed_attempts"]) == (4, 0, 4, 0)
    assert (new["requests"], new["errors"], new["error_rate"], new["attempts"], new["failed_attempts"]) == (
        1,
        1,
        1,
        2,
        2,
    )
    assert (one["charge_usd"], one["charge_usd_per_request"]) == ("0.00072", "0.00018")
    assert one["first_byte_ms"] == {"p50": 20.0, "p95": 40.0}
    assert new["first_byte_ms"] == {"p50": None, "p95": None}
    assert (one["input_tokens"], one["output_tokens"], found["entries"]) == (4_000, 800, 6)


def test_a_report_of_too_much_is_of_the_newest_and_says_so(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert report(plane)["whole"] is True
    for bound, value in (("ENTRIES_MAX", 2), ("_READ_MAX", 3)):  # the newest of the project is of another alias
        with monkeypatch.context() as patched:
            patched.setattr(route_report, bound, value)
            found = report(plane)
        assert (found["whole"], found["entries"], found["oldest"]) == (False, 2, "2026-05-06T12:05:00Z"), bound


def test_a_report_is_of_one_project_alias_and_time(plane: ControlPlane) -> None:
    assert [row["requests"] for row in report(plane, alias="slow")["data"]] == [1]
    assert (report(plane, alias="unknown")["data"], report(plane, alias="unknown")["whole"]) == ([], True)
    assert report(plane, until="2026-05-06T12:02:00Z")["entries"] == 2
    of_rival = plane.must("GET", "/route/report", as_="rival-read", params={"alias": "fast", "project": "web"} | SPAN)
    assert of_rival["entries"] == 1
    for wrong in ({"since": "2025-01-01T00:00:00Z"}, {"since": "2026-05-07T00:00:00Z"}):
        query = {"alias": "fast", "project": "web"} | SPAN | wrong
        assert plane("GET", "/route/report", params=query).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_the_counts_of_a_report_are_those_of_usage() -> None:
    usage = Usage(**{kind: 10**place for place, kind in enumerate(KINDS)})
    assert usage.input_total == sum(getattr(usage, kind) for kind in INPUT_KINDS)
    assert usage.output_total == sum(getattr(usage, kind) for kind in OUTPUT_KINDS)


def test_a_route_is_explained_to_its_own_tenant(plane: ControlPlane) -> None:
    body = {"model": "upstream/one", "key": "acme-inference", "input_bytes": 4_000}
    found = plane.must("POST", "/route/explain", as_="acme-read", json=body)
    (attempt,) = found["attempts"]
    assert (attempt["target"], attempt["expected_usd"], found["is_alias"]) == ("upstream/one", None, False)
    project = plane.must("GET", "/projects/web")["id"]
    for theirs in ({"project": project}, {"key": "acme-inference"}):
        answer = plane("POST", "/route/explain", as_="rival-read", json={"model": "upstream/one"} | theirs)
        assert answer.status_code == HTTPStatus.NOT_FOUND


def test_a_route_that_was_made_a_moment_ago_is_explained(plane: ControlPlane) -> None:
    plane.must("PUT", "/aliases/web/new", json={"target": "upstream/one"})
    found = plane.must("POST", "/route/explain", json={"model": "new", "project": "web"})
    assert ([attempt["target"] for attempt in found["attempts"]], found["is_alias"]) == (["upstream/one"], True)


def test_a_process_that_serves_no_requests_explains_none(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane.factory, "explainer", None)
    answer = plane("POST", "/route/explain", json={"model": "fast", "project": "web"})
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "not_ready")
