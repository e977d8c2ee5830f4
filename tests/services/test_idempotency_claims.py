"""Claims of several workers on one database, and workers that die at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

import psycopg
import pytest

from support.postgres import DatabaseUrls
from support.quotas import an_organization
from support.waiting import eventually
from tollway.data.idempotency import Claim, Outcome
from tollway.data.session import Database, WriteSession
from tollway.errors import (
    ContentSealedError,
    DatabaseUnavailableError,
    IdempotencyError,
    IdempotencyLostError,
    IdempotencyRunningError,
    OverloadedError,
)
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services import idempotency_claims
from tollway.services.content_seal import ContentSeal
from tollway.services.idempotency_claims import IdempotencyClaims
from tollway.services.idempotency_endings import IdempotencyEndings
from tollway.services.worker_release import WorkerRelease

OUTCOME = Outcome(200, (("content-type", "text/event-stream"), ("x-odd", "caf\xe9")), bytes(range(256)))


@pytest.fixture
def key_id(database_url: str) -> str:
    """An API key."""
    key_id, organization_id = uuid7(), an_organization(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO api_key (id, organization_id, name, digest, shown_prefix, scopes)"
            " VALUES (%s, %s, 'k', %s, 'tw-', '{read}')",
            (key_id, organization_id, sha256(key_id.encode()).digest()),
        )
    return key_id


class Worker:
    """The claims of one worker."""

    def __init__(self, database: Database, *, run_max_s: float = 600.0, master: bytes = bytes(32)) -> None:
        self.id = uuid7()
        self.endings = IdempotencyEndings(database)
        seal = ContentSeal(Vault(master))
        self.claims = IdempotencyClaims(database, seal, self.endings, self.id, run_max_s=run_max_s, connections=2)

    async def take(self, claim: Claim, organization_id: str = "acme") -> Outcome | None:
        return await self.claims.take(claim, organization_id=organization_id)


def a_claim(key_id: str, name: str = "k", body: bytes = b"b") -> Claim:
    return Claim(key_id, sha256(name.encode()).digest(), sha256(body).digest(), uuid7())


async def test_of_many_workers_one_gets_the_key(database: Database, key_id: str) -> None:
    workers = [Worker(database) for _ in range(8)]
    answers = await asyncio.gather(*(worker.take(a_claim(key_id)) for worker in workers), return_exceptions=True)
    assert answers.count(None) == 1
    assert sum(isinstance(answer, IdempotencyRunningError) for answer in answers) == 7


async def test_an_outcome_comes_back_as_it_was(database: Database, key_id: str) -> None:
    first, second, claim = Worker(database), Worker(database), a_claim(key_id)
    assert await first.take(claim) is None
    await first.claims.keep(claim, OUTCOME)
    assert await second.take(a_claim(key_id)) == OUTCOME
    with pytest.raises(IdempotencyError):
        await second.take(a_claim(key_id, body=b"other"))
    assert await second.take(a_claim(key_id, name="other")) is None


async def test_an_outcome_of_another_master_key_is_told_as_that(database: Database, key_id: str) -> None:
    worker, claim = Worker(database), a_claim(key_id)
    await worker.take(claim)
    await worker.claims.keep(claim, OUTCOME)
    with pytest.raises(ContentSealedError):
        await Worker(database, master=b"m" * 32).take(a_claim(key_id))


async def test_a_worker_that_dies_between_storing_and_sending_leaves_the_answer(
    database: Database, key_id: str
) -> None:
    dead, next_, claim = Worker(database), Worker(database), a_claim(key_id)
    await dead.take(claim)
    await dead.claims.keep(claim, OUTCOME)
    await WorkerRelease(database).release(dead.id)
    assert await next_.take(a_claim(key_id)) == OUTCOME


async def test_a_worker_that_dies_before_storing_frees_the_key(database: Database, key_id: str) -> None:
    dead, next_ = Worker(database), Worker(database)
    await dead.take(a_claim(key_id))
    with pytest.raises(IdempotencyRunningError):
        await next_.take(a_claim(key_id))
    await WorkerRelease(database).release(dead.id)
    assert await next_.take(a_claim(key_id)) is None


async def test_a_run_that_lost_its_claim_touches_nothing_of_the_next_one(database: Database, key_id: str) -> None:
    lost, next_, claim, later = Worker(database), Worker(database), a_claim(key_id), a_claim(key_id)
    await lost.take(claim)
    await WorkerRelease(database).release(lost.id)
    assert await next_.take(later) is None
    await lost.claims.release(claim)
    await lost.claims.keep(claim, OUTCOME)
    with pytest.raises(IdempotencyRunningError):
        await lost.take(a_claim(key_id))
    await next_.claims.keep(later, Outcome(200, (), b"of the next"))
    assert await lost.take(a_claim(key_id)) == Outcome(200, (), b"of the next")


async def test_a_claim_that_ran_out_is_free(database: Database, key_id: str) -> None:
    assert await Worker(database, run_max_s=0.0).take(a_claim(key_id)) is None
    assert await Worker(database).take(a_claim(key_id)) is None


async def test_an_outcome_runs_out_after_a_day(database: Database, database_url: str, key_id: str) -> None:
    worker, claim = Worker(database), a_claim(key_id)
    await worker.take(claim)
    await worker.claims.keep(claim, OUTCOME)
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT expires_at - now() < '24h', expires_at - now() > '23h' FROM idempotency_claim")
        assert row.fetchone() == (True, True)
        connection.execute("UPDATE idempotency_claim SET expires_at = now()")
    assert await worker.take(a_claim(key_id, body=b"other")) is None


async def test_an_outcome_without_a_body_is_told_as_lost(database: Database, key_id: str) -> None:
    worker, claim = Worker(database), a_claim(key_id)
    await worker.take(claim)
    await worker.claims.keep(claim, Outcome(200, (), None))
    with pytest.raises(IdempotencyLostError):
        await worker.take(a_claim(key_id))


async def test_a_claim_that_the_database_did_not_confirm_is_undone(
    database: Database, database_url: str, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(database)
    rival = a_claim(key_id)
    with psycopg.connect(database_url) as connection:  # makes the same claim, and is not sure yet
        connection.execute(
            "INSERT INTO idempotency_claim (key_id, digest, body_digest, worker_id, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + '1h')",
            (key_id, rival.digest, rival.body_digest, uuid7()),
        )
        with monkeypatch.context() as impatient:
            impatient.setattr(idempotency_claims, "_TIMEOUT_S", 0.2)
            with pytest.raises(DatabaseUnavailableError):
                await worker.take(a_claim(key_id))
        connection.rollback()
    await eventually(lambda: not worker.endings._queue._waiting)
    assert await Worker(database).take(a_claim(key_id)) is None


async def test_a_claim_whose_connection_fails_after_it_was_made_is_undone(
    database: Database, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Database.write

    @asynccontextmanager
    async def closes_badly(self: Database) -> AsyncIterator[WriteSession]:
        async with write(self) as session:
            yield session
        raise TimeoutError

    worker = Worker(database)
    with monkeypatch.context() as broken:
        broken.setattr(Database, "write", closes_badly)
        with pytest.raises(DatabaseUnavailableError):
            await worker.take(a_claim(key_id))
    await eventually(lambda: not worker.endings._queue._waiting)
    assert await Worker(database).take(a_claim(key_id)) is None


async def test_a_claim_that_is_committed_late_is_undone_all_the_same(
    database: Database, database_urls: DatabaseUrls, key_id: str
) -> None:
    worker, claim = Worker(database), a_claim(key_id)

    def rows(condition: str) -> int:
        with psycopg.connect(database_urls.owner) as owner:
            row = owner.execute(f"SELECT count(*) FROM {condition}".encode()).fetchone()  # noqa: S608 -- a test's own
        return int(row[0]) if row else 0

    with psycopg.connect(database_urls.app) as late:  # what the worker sent, and nobody waited for
        late.execute(
            "INSERT INTO idempotency_claim (key_id, digest, body_digest, worker_id, entry_id, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, now() + '1h')",
            (key_id, claim.digest, claim.body_digest, worker.id, claim.entry_id),
        )
        worker.endings.undo(claim, worker_id=worker.id)
        await eventually(
            lambda: rows("pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        )
    await eventually(lambda: not worker.endings._queue._waiting)
    assert rows("idempotency_claim") == 0


async def test_too_many_waiting_claims_are_refused_and_no_organization_takes_every_place(
    database: Database, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency_claims, "_WAITING_MAX", 4)
    monkeypatch.setattr(idempotency_claims, "_WAITING_MAX_PER_ORGANIZATION", 3)
    worker = Worker(database)
    organizations = ["greedy"] * 5 + ["acme"] * 2
    answers = await asyncio.gather(
        *(worker.take(a_claim(key_id, name=str(number)), name) for number, name in enumerate(organizations)),
        return_exceptions=True,
    )
    assert [answer is None for answer in answers] == [True, True, True, False, False, True, False]
    assert {type(answer) for answer in answers if answer is not None} == {OverloadedError}
    assert not worker.claims._waiting


async def test_one_outcome_that_cannot_be_stored_does_not_stop_the_others(database: Database, key_id: str) -> None:
    worker = Worker(database)
    claims = [a_claim(key_id, name=str(number)) for number in range(6)]
    for claim in claims:
        await worker.take(claim)
    outcomes = [OUTCOME if number != 2 else Outcome(2**40, (), b"") for number in range(6)]
    await asyncio.gather(*(worker.claims.keep(*pair) for pair in zip(claims, outcomes, strict=True)))
    for number in (0, 1, 3, 4, 5):
        assert await worker.take(a_claim(key_id, name=str(number))) == OUTCOME
    with pytest.raises(IdempotencyRunningError):
        await worker.take(a_claim(key_id, name="2"))
