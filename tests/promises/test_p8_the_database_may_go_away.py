"""P8: the database may go away: known callers are served from memory, entries wait on disk, and all of it lands."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from chaos.small_disk import can_mount, empty, fill, small_disk
from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.spender import Spender, all_know
from support.standin import StandIn
from support.waiting import wait_until
from tollway.constants import WORKER_UNSEEN_S

pytestmark = pytest.mark.timeout(300)

REQUESTS = 12
DISK_BYTES = 320 * 1024 * 1024
"""Room for PostgreSQL with its templates and its log."""
SETTINGS = {
    "TOLLWAY_DATABASE_TIMEOUT_S": "3",
    "TOLLWAY_DRAIN_INTERVAL_MS": "20",
    "TOLLWAY_JOURNAL_MAX_BYTES": str(1024 * 1024),
    "TOLLWAY_JOURNAL_SEGMENT_BYTES": str(64 * 1024),
}
LARGE = {"x-tollway-tags": ", ".join(f"tag-{number}={'v' * 500}" for number in range(16))}
"""Headers that make an entry of 8 kB."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """The small disk of the database; nothing where this process may not mount one."""
    if not can_mount():
        yield None
        return
    with small_disk(tmp_path_factory.mktemp("p8-disk"), size_bytes=DISK_BYTES) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def server(disk: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A database that belongs to these tests, because they break it."""
    with PostgresServer(disk / "pg" if disk else tmp_path_factory.mktemp("p8-pg")) as started:
        yield started


@pytest.fixture(scope="module")
def tollway(server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A Tollway on that database, whose project key is known to its worker."""
    with running(tmp_path_factory.mktemp("p8") / "data", server.create(), standin, **SETTINGS) as gateway:
        assert gateway.chat().is_success
        yield gateway


@pytest.fixture(autouse=True)
def _well(tollway: Gateway) -> None:
    """Each test begins when what the one before did is over."""
    wait_until(lambda: tollway.client.get("/readyz").json()["status"] == "ready", within_s=60, what="readiness")


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def without_connections(server: PostgresServer) -> Iterator[None]:
    """As a server that has no connection left for us, or a password that was changed."""
    server.execute("ALTER ROLE tollway_app CONNECTION LIMIT 0")
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tollway_app'")
    try:
        yield
    finally:
        server.execute("ALTER ROLE tollway_app CONNECTION LIMIT -1")


@contextmanager
def read_only(server: PostgresServer) -> Iterator[None]:
    """As a standby, or a managed service that ran out of space. Transactions of the tests' owner must ask to write."""
    server.execute("ALTER ROLE tollway_app SET default_transaction_read_only = on")
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tollway_app'")
    try:
        yield
    finally:
        server.execute("ALTER ROLE tollway_app RESET default_transaction_read_only")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tollway_app'")


AWAY: dict[str, Callable[[PostgresServer], AbstractContextManager[None]]] = {
    "stopped": stopped,
    "frozen": PostgresServer.frozen,
    "without connections": without_connections,
}


def serve_known_callers(gateway: Gateway) -> list[str]:
    """Plain and streamed requests, all served; their marks."""
    marks = [new_mark() for _ in range(REQUESTS)]
    answers = [gateway.chat(user=mark, stream=number % 2 == 1) for number, mark in enumerate(marks)]
    assert [answer.status_code for answer in answers] == [200] * REQUESTS
    return marks


def check_landed(gateway: Gateway, standin: StandIn, marks: list[str]) -> None:
    """Every request is in the ledger once, with the provider's own counts."""

    def landed() -> bool:
        with suppress(Exception):  # the test's own connection may still find nobody
            return all(gateway.entries(mark) for mark in marks)
        return False

    wait_until(landed, within_s=60, what="entries that waited in the journal")
    for mark in marks:
        (entry,), (heard,) = gateway.entries(mark), standin.marked(mark)
        assert (entry["outcome"], entry["usage_input"], entry["usage_output"]) == ("ok", *(heard.tokens or ()))


@pytest.mark.parametrize("fault", AWAY)
def test_known_callers_are_served_strangers_are_asked_to_come_back_and_all_of_it_lands(
    tollway: Gateway, server: PostgresServer, standin: StandIn, fault: str
) -> None:
    stranger = tollway.new_key()
    with AWAY[fault](server):
        marks = serve_known_callers(tollway)
        refused = tollway.post("/v1/chat/completions", chat_body(), key=stranger)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "database_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-should-retry"] == "true"
        files = tollway.client.get("/v1/files", headers=tollway.headers())
        assert (files.status_code, files.json()["error"]["code"]) == (503, "database_unavailable")
        part = {"type": "file", "file": {"file_id": "file-1"}}
        named = tollway.chat(messages=[{"role": "user", "content": [part]}])  # whose it is cannot be known
        assert (named.status_code, named.json()["error"]["code"]) == (503, "database_unavailable")
        admin = tollway.client.get("/api/v1/projects", headers=tollway.headers(tollway.admin_key))
        assert (admin.status_code, admin.json()["code"]) == (503, "database_unavailable")
        assert admin.json()["next_step"]
        ready = tollway.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["checks"]["database"]
        marks += serve_known_callers(tollway)
    check_landed(tollway, standin, marks)
    wait_until(lambda: tollway.post("/v1/chat/completions", chat_body(), key=stranger).is_success)
    wait_until(lambda: tollway.client.get("/readyz").json()["status"] == "ready")


def test_a_database_that_is_killed_again_and_again_loses_and_doubles_nothing(
    tollway: Gateway, server: PostgresServer, standin: StandIn
) -> None:
    marks = []
    for _ in range(3):
        wait_until(server.is_running)
        server.kill()
        marks += serve_known_callers(tollway)
    check_landed(tollway, standin, marks)


def test_a_database_that_takes_no_changes_serves_strangers_too_and_refuses_changes_in_words(
    tollway: Gateway, server: PostgresServer, standin: StandIn
) -> None:
    stranger = tollway.new_key()
    with read_only(server):
        assert wait_until(lambda: tollway.post("/v1/chat/completions", chat_body(), key=stranger).is_success)
        marks = serve_known_callers(tollway)
        headers = tollway.headers(tollway.admin_key)
        refused = tollway.client.post("/api/v1/projects", json={"name": "late"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert "read-only" in refused.json()["detail"]
        assert refused.headers["retry-after"]
        assert not any(tollway.entries(mark) for mark in marks)
    check_landed(tollway, standin, marks)


def test_a_worker_that_starts_without_a_database_says_so_and_serves_when_it_is_back(
    tollway: Gateway, server: PostgresServer, standin: StandIn
) -> None:
    with stopped(server):
        (worker,) = tollway.children("tollway.worker")
        worker.kill()
        wait_until(lambda: worker not in tollway.children("tollway.worker"), what="its end")
        wait_until(tollway.serving_workers, what="another worker")
        refused = tollway.chat()
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        ready = tollway.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert ready.json()["checks"]["configuration"]
    wait_until(lambda: tollway.chat().is_success, what="the new worker to read its configuration")
    check_landed(tollway, standin, serve_known_callers(tollway))


def test_a_hard_budget_lasts_as_far_as_it_was_leased_and_then_as_the_organization_chose(
    tollway: Gateway, server: PostgresServer, standin: StandIn
) -> None:
    exact, lenient = Spender(tollway), Spender(tollway)
    for spender in (exact, lenient):
        spender.budget("1")
    wait_until(lambda: exact.chat(max_tokens=20).is_success, what="leases, after the outage of the test before")
    wait_until(lambda: lenient.chat(max_tokens=20).is_success, what="a lease of the other one")
    with stopped(server):
        wait_until(lambda: exact.chat(max_tokens=50_000).status_code == 503, what="the worker to notice")
        refused = exact.chat(max_tokens=50_000)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "budget_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert exact.chat(max_tokens=20).is_success
    (organization,) = tollway.admin("GET", "/organizations")["data"]
    path = f"/organizations/{organization['name']}"
    tollway.admin("PATCH", path, {"serve_without_database": True})
    all_know(tollway)
    wait_until(lambda: lenient.chat(max_tokens=20).is_success)
    mark = new_mark()
    with stopped(server):
        wait_until(lambda: lenient.chat(max_tokens=50_000, user=mark).is_success, what="the worker to notice")
    tollway.admin("PATCH", path, {"serve_without_database": False})
    check_landed(tollway, standin, [mark])
    agree = (
        "SELECT settled = (SELECT sum(charge_pico) FROM ledger_entry WHERE key_id = k.id) AS agree FROM quota_window w "
        "JOIN quota q ON q.id = w.quota_id JOIN api_key k ON k.id = q.key_id WHERE k.name = %s"
    )
    wait_until(lambda: tollway.query(agree, lenient.name) == [{"agree": True}], what="the budget to have all of it")


def test_a_rate_limit_holds_by_an_equal_share(tollway: Gateway, server: PostgresServer) -> None:
    spender = Spender(tollway)
    spender.limit("requests", 10, window="day")
    alone = "SELECT count(*) = 1 AS alone FROM worker WHERE seen_at > (SELECT max(seen_at) FROM worker) - %s"
    unseen = timedelta(seconds=WORKER_UNSEEN_S + 1)
    wait_until(lambda: tollway.query(alone, unseen)[0]["alone"], what="the killed worker to have no share any more")
    assert spender.chat().is_success
    with stopped(server):
        statuses = [spender.chat().status_code for _ in range(12)]
    assert statuses == [200] * 9 + [429] * 3


def test_a_journal_at_its_bound_refuses_in_words_and_says_that_it_is_not_ready_until_the_database_is_back(
    tollway: Gateway, server: PostgresServer, standin: StandIn
) -> None:
    marks, project = [new_mark()], new_mark()
    tollway.admin("POST", "/projects", {"name": project, "cache_ttl_s": 600})
    cached = tollway.new_key(project)
    assert tollway.post("/v1/chat/completions", chat_body(), key=cached).headers["x-tollway-cache"] == "miss"
    with stopped(server):
        while (answer := tollway.post("/v1/chat/completions", chat_body(user=marks[-1]), headers=LARGE)).is_success:
            marks.append(new_mark())
            assert len(marks) < 500, "no bound"
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "journal_unavailable")
        assert "bound" in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) >= 1
        hit = tollway.post("/v1/chat/completions", chat_body(), key=cached)
        assert (hit.status_code, hit.json()["error"]["code"]) == (503, "journal_unavailable")
        ready = tollway.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert "bound" in ready.json()["checks"]["journal"]
        assert not standin.marked(marks.pop()), "it was served though it could not be recorded"
    check_landed(tollway, standin, marks)
    wait_until(lambda: tollway.client.get("/readyz").json()["status"] == "ready")
    assert tollway.chat().is_success


def test_a_database_whose_disk_is_full_keeps_nobody_from_being_served(
    tollway: Gateway, disk: Path | None, standin: StandIn
) -> None:
    if disk is None:
        pytest.skip("this process may not mount a small disk")
    before = tollway.log_path.read_text().count("drain_waits")
    fill(disk)
    marks = []
    while tollway.log_path.read_text().count("drain_waits") == before:  # pages and segments that were there take some
        marks.append(new_mark())
        assert tollway.post("/v1/chat/completions", chat_body(user=marks[-1]), headers=LARGE).is_success
    marks += serve_known_callers(tollway)
    empty(disk)
    check_landed(tollway, standin, marks)
