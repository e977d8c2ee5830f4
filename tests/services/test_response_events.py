"""The end of a stream in the background is told though its worker could not say so any more."""

import json
from typing import Any

import psycopg
import pytest
from msgspec import Raw

from support.postgres import DatabaseUrls
from support.quotas import an_organization
from tollway.chat.told_event import numbered
from tollway.chat.turn import Turn
from tollway.data.session import Database
from tollway.identity.principal import Principal
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services import response_events
from tollway.services.content_seal import ContentSeal
from tollway.services.event_log import EventBatch
from tollway.services.response_events import ResponseEvents
from tollway.services.response_find import ResponseFind
from tollway.services.response_remove import ResponseRemove
from tollway.services.response_store import Kept, ResponseStore
from tollway.services.worker_release import WorkerRelease

SEAL = ContentSeal(Vault(bytes(32)))
EVENTS = tuple(numbered(kind, {}, number) for number, kind in enumerate(("response.created", "response.queued")))
ID = "resp_1"


@pytest.fixture
def principal(database_urls: DatabaseUrls) -> Principal:
    project_id, organization_id = uuid7(), an_organization(database_urls.owner)
    with psycopg.connect(database_urls.owner) as connection:
        connection.execute(
            "INSERT INTO project (id, organization_id, name) VALUES (%s, %s, 'p')", [project_id, organization_id]
        )
    return Principal(uuid7(), organization_id, project_id, "k", frozenset(), store_content="full")


async def told(events: ResponseEvents, principal: Principal, *, after: int = -1) -> list[dict[str, Any]]:
    """What somebody hears who attaches now."""
    text = b"".join([part async for part in await events.follow(principal, ID, after=after)]).decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize(
    ("ends", "event", "status"),
    [("cancelled", "response.incomplete", "cancelled"), ("released", "response.failed", "failed")],
)
async def test_whoever_attaches_behind_any_event_is_told_the_end_once_under_one_number(
    *,
    ends: str,
    event: str,
    status: str,
    database: Database,
    principal: Principal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(response_events, "_LAST_WORDS_S", 0.0)
    store, worker_id = ResponseStore(database, SEAL), uuid7()
    find = ResponseFind(database, SEAL, store)
    turn = Turn([], Raw(json.dumps({"id": ID, "status": "in_progress"}).encode()))
    batch = EventBatch(0, EVENTS)
    await store.begin(Kept(principal, ID, turn, background=True, worker_id=worker_id, events=batch))
    if ends == "cancelled":
        await ResponseRemove(database, store).cancel(principal, ID)
    else:
        await WorkerRelease(database).release(worker_id)

    events = ResponseEvents(database, SEAL, find)
    every = await told(events, principal)
    assert [each["sequence_number"] for each in every] == [0, 1, 2]
    assert (every[-1]["type"], every[-1]["response"]["status"]) == (event, status)
    assert await told(events, principal, after=0) == every[1:]
    assert await told(events, principal, after=1) == every[2:]
    assert await told(events, principal, after=2) == []
