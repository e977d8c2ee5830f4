"""What is kept of dialogues: for whom, for how long, and what happens while the database is away."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from msgspec import Raw
from msgspec.structs import replace

from support.postgres import DatabaseUrls, PostgresServer
from support.quotas import an_organization
from tollway.chat.turn import Turn
from tollway.data import responses
from tollway.data.session import Database, create_engine
from tollway.errors import (
    ContentNotKeptError,
    ContentSealedError,
    ConversationLockedError,
    DatabaseUnavailableError,
    InvalidRequestError,
    NotFoundError,
)
from tollway.identity.principal import Principal
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services.content_seal import ContentSeal
from tollway.services.conversation_change import ConversationChange
from tollway.services.conversation_find import ConversationFind
from tollway.services.conversation_lock import ConversationLocks
from tollway.services.dialogue_load import HISTORY_MAX_BYTES, DialogueLoad
from tollway.services.inference.keeping import Keeping
from tollway.services.item_page import ItemWish
from tollway.services.purge import Purge
from tollway.services.response_find import ResponseFind
from tollway.services.response_remove import ResponseRemove
from tollway.services.response_store import Kept, ResponseStore
from tollway.services.worker_release import WorkerRelease

SEAL = ContentSeal(Vault(bytes(32)))


def a_principal(url: str, **fields: object) -> Principal:
    """A caller with a new project."""
    project_id, organization_id = uuid7(), an_organization(url)
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO project (id, organization_id, name) VALUES (%s, %s, 'p')", [project_id, organization_id]
        )
    made = Principal(uuid7(), organization_id, project_id, "k", frozenset(), store_content="full")
    return replace(made, **fields)  # type: ignore[arg-type]  # a test names fields that are there


def a_turn(said: str, answer: str, *, id_: str = "", status: str = "completed") -> Turn:
    output = [{"type": "message", "id": f"msg_{len(answer)}", "role": "assistant", "content": answer}]
    response = {"id": id_, "status": status, "output": output, "usage": {"input_tokens": 3}, "instructions": "secret"}
    return Turn([Raw(json.dumps({"role": "user", "content": said}).encode())], Raw(json.dumps(response).encode()))


def a_response(principal: Principal, id_: str, *, said: str = "hi", previous_id: str | None = None) -> Kept:
    return Kept(principal, id_, a_turn(said, f"to-{said}", id_=id_), previous_id)


class Dialogues:
    """The services over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = ResponseStore(database, SEAL)
        self.load = DialogueLoad(database, SEAL, self.store)
        self.find = ResponseFind(database, SEAL, self.store)
        self.remove = ResponseRemove(database, self.store)
        self.conversations = ConversationFind(database, SEAL)
        self.change = ConversationChange(database, SEAL)

    async def keep(self, *kept: Kept) -> None:
        for each in kept:
            self.store.keep(each)
        for each in kept:
            await self.store.written(*each.key, timeout_s=60)

    async def said(self, principal: Principal, response_id: str) -> list[str]:
        """The contents of the dialogue that ends with a response."""
        return [json.loads(bytes(item))["content"] for item in await self.load.after_response(principal, response_id)]


@pytest.fixture
def dialogues(database: Database) -> Dialogues:
    return Dialogues(database)


async def test_a_dialogue_goes_on_from_any_of_its_responses(dialogues: Dialogues, database_urls: DatabaseUrls) -> None:
    one = a_principal(database_urls.owner)
    await dialogues.keep(
        a_response(one, "r1", said="a"),
        a_response(one, "r2", said="b", previous_id="r1"),
        a_response(one, "r3", said="c", previous_id="r2"),
    )
    assert await dialogues.said(one, "r3") == ["a", "to-a", "b", "to-b", "c", "to-c"]
    assert await dialogues.said(one, "r2") == ["a", "to-a", "b", "to-b"]


async def test_nobody_else_sees_it(dialogues: Dialogues, database_urls: DatabaseUrls) -> None:
    one, other = a_principal(database_urls.owner), a_principal(database_urls.owner)
    await dialogues.keep(a_response(one, "r1"))
    made = await dialogues.change.create(one, b"{}", [Raw(b'{"role":"user","content":"a"}')])
    item = (await dialogues.conversations.items(one, made.id, ItemWish())).items[0]["id"]
    for attempt in (
        dialogues.find.find(other, "r1"),
        dialogues.find.items(other, "r1", ItemWish()),
        dialogues.load.after_response(other, "r1"),
        dialogues.remove.remove(other, "r1"),
        dialogues.remove.cancel(other, "r1"),
        dialogues.load.referred(other, {0: "msg_5"}, []),
        dialogues.load.of_conversation(other, made.id),
        dialogues.conversations.find(other, made.id),
        dialogues.conversations.items(other, made.id, ItemWish()),
        dialogues.conversations.item(other, made.id, item, ItemWish()),
        dialogues.change.change(other, made.id, b"{}"),
        dialogues.change.add_items(other, made.id, []),
        dialogues.change.remove_item(other, made.id, item),
        dialogues.change.remove(other, made.id),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert json.loads(await dialogues.find.find(one, "r1"))["id"] == "r1"
    await dialogues.keep(a_response(other, "r1", said="theirs"))
    assert await dialogues.said(one, "r1") == ["hi", "to-hi"]


async def test_one_item_that_is_referred_to_many_times_makes_no_endless_request(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    item = Raw(json.dumps({"type": "message", "id": "msg_long", "role": "user", "content": "x" * 100_000}).encode())
    times = HISTORY_MAX_BYTES // len(item)
    assert len(await dialogues.load.referred(one, dict.fromkeys(range(times), "msg_long"), [item])) == times
    with pytest.raises(InvalidRequestError) as refusal:
        await dialogues.load.referred(one, dict.fromkeys(range(times + 1), "msg_long"), [item])
    assert refusal.value.param == "input"


async def test_an_item_id_that_many_responses_have_reads_no_more_of_them_than_one_dialogue(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    await dialogues.keep(*(a_response(one, f"r{number}") for number in range(5)))
    async with dialogues.database.read() as session:
        row = await responses.find(session, one.project_id, "r0")
        assert row is not None
        assert row.content is not None
        bytes_max = 2 * len(row.content)
        found = await responses.with_items(session, one.project_id, ["msg_5", "msg_6"], bytes_max=bytes_max)
    assert [link.id for link in found] == ["r0", "r1"]


async def test_the_database_alone_does_not_tell_what_was_said(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    await dialogues.keep(a_response(one, "r1", said="confidential"))
    await dialogues.change.create(one, b"{}", [Raw(b'{"role":"user","content":"confidential"}')])
    with psycopg.connect(database_urls.owner) as connection:
        for table in ("response", "conversation_item"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 -- a name of ours
            assert rows
            assert b"confidential" not in b"".join(
                value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
            )
    stranger = DialogueLoad(dialogues.database, ContentSeal(Vault(bytes(31) + b"x")), dialogues.store)
    with pytest.raises(ContentSealedError):
        await stranger.after_response(one, "r1")


async def test_only_metadata_is_kept_where_the_project_says_so(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner, store_content="metadata")
    await dialogues.keep(a_response(one, "r1"))
    found = json.loads(await dialogues.find.find(one, "r1"))
    assert found == {
        "id": "r1",
        "status": "completed",
        "output": [],
        "usage": {"input_tokens": 3},
        "instructions": None,
    }
    with pytest.raises(ContentNotKeptError):
        await dialogues.load.after_response(one, "r1")
    with pytest.raises(ContentNotKeptError):
        await dialogues.find.items(one, "r1", ItemWish())
    with pytest.raises(ContentNotKeptError):
        await dialogues.change.create(one, b"{}", [])


async def test_what_is_over_is_purged_but_not_what_a_dialogue_goes_on_with(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner, retention_days=7)
    old = datetime.now(UTC) - timedelta(days=8)
    await dialogues.keep(
        replace(a_response(one, "r1", said="a"), created_at=old),
        replace(a_response(one, "r2", said="b", previous_id="r1"), created_at=old),
        a_response(one, "r3", said="c", previous_id="r1"),
    )
    made = await dialogues.change.create(one, b"{}", [Raw(b'{"role":"user","content":"a"}')])
    with psycopg.connect(database_urls.owner) as connection:
        connection.execute("UPDATE conversation SET expires_at = now() - interval '1 s'")
    for gone in (dialogues.find.find(one, "r1"), dialogues.conversations.find(one, made.id)):
        with pytest.raises(NotFoundError):
            await gone
    purged = await Purge(dialogues.database).purge()
    assert (purged["responses"], purged["conversations"]) == (1, 1)
    assert await dialogues.said(one, "r3") == ["a", "to-a", "c", "to-c"]
    await dialogues.remove.remove(one, "r3")
    assert (await Purge(dialogues.database).purge())["responses"] == 1
    with psycopg.connect(database_urls.owner) as connection:
        left = connection.execute("SELECT (SELECT count(*) FROM response) + (SELECT count(*) FROM conversation_item)")
        assert left.fetchone() == (0,)


async def test_a_dialogue_that_lost_its_beginning_is_refused_not_shortened(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    await dialogues.keep(a_response(one, "r1"), a_response(one, "r2", previous_id="r1"))
    await dialogues.remove.remove(one, "r1")
    with pytest.raises(NotFoundError, match="r1"):
        await dialogues.load.after_response(one, "r2")


async def test_nothing_goes_on_with_what_failed(dialogues: Dialogues, database_urls: DatabaseUrls) -> None:
    one = a_principal(database_urls.owner)
    await dialogues.keep(Kept(one, "r1", a_turn("a", "b", id_="r1", status="failed")))
    with pytest.raises(InvalidRequestError, match="failed"):
        await dialogues.load.after_response(one, "r1")


async def test_a_response_that_waits_for_the_database_can_be_gone_on_with(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    one = a_principal(database_urls.owner)
    nowhere = f"postgresql://nobody@localhost/none?host={tmp_path}"
    away = Dialogues(Database(create_engine(nowhere, pool_size=1, timeout_s=1.0)))
    away.store.keep(a_response(one, "r1", said="a"))
    away.store.keep(a_response(one, "r2", said="b", previous_id="r1"))
    assert await away.said(one, "r2") == ["a", "to-a", "b", "to-b"]
    assert json.loads(await away.find.find(one, "r2"))["id"] == "r2"
    for attempt in (away.load.after_response(one, "r0"), away.find.find(one, "r0"), away.remove.remove(one, "r0")):
        with pytest.raises(DatabaseUnavailableError):
            await attempt
    await away.store.aclose()


async def test_what_waits_is_written_when_the_database_is_back(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)  # noqa: ASYNC240 -- nothing else runs
    with PostgresServer(tmp_path / "database") as server:
        urls = server.create()
        one = a_principal(urls.owner)
        database = Database(create_engine(urls.app, pool_size=2, timeout_s=60.0))
        dialogues = Dialogues(database)
        server.stop()
        waiting = a_response(one, "r1")
        dialogues.store.keep(waiting)
        with pytest.raises(TimeoutError):
            await dialogues.store.written(*waiting.key, timeout_s=0.3)
        assert dialogues.store.pending(*waiting.key) is not None
        server.start()
        await dialogues.store.written(*waiting.key, timeout_s=60)
        assert dialogues.store.pending(*waiting.key) is None
        assert await dialogues.said(one, "r1") == ["hi", "to-hi"]
        await database.close()


async def test_a_conversation_gets_what_was_said_once(dialogues: Dialogues, database_urls: DatabaseUrls) -> None:
    one = a_principal(database_urls.owner)
    made = await dialogues.change.create(one, b"{}", [])
    kept = replace(a_response(one, "r1"), conversation_id=made.id)
    await dialogues.keep(kept)
    await dialogues.keep(kept)
    items = await dialogues.load.of_conversation(one, made.id)
    assert [json.loads(bytes(item))["content"] for item in items] == ["hi", "to-hi"]
    with pytest.raises(InvalidRequestError, match="conversation"):
        await dialogues.load.after_response(one, "r1")


async def test_what_ran_in_a_worker_that_is_gone_has_failed(dialogues: Dialogues, database_urls: DatabaseUrls) -> None:
    one, worker_id = a_principal(database_urls.owner), str(uuid7())
    running = replace(a_response(one, "r1"), background=True, worker_id=worker_id)
    await dialogues.store.begin(running)
    assert json.loads(await dialogues.find.find(one, "r1"))["status"] == responses.RUNNING
    await WorkerRelease(dialogues.database).release(worker_id)
    found = json.loads(await dialogues.find.find(one, "r1"))
    assert found["status"] == "failed"
    assert found["error"]["code"] == "server_error"


async def test_a_response_that_was_cancelled_stays_so_however_it_ends(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    running = replace(a_response(one, "r1"), background=True, worker_id=str(uuid7()))
    await dialogues.store.begin(running)
    await dialogues.remove.cancel(one, "r1")
    await dialogues.keep(replace(running, worker_id=""))
    assert json.loads(await dialogues.find.find(one, "r1"))["status"] == "cancelled"


class _Heard:
    """A caller. Attributes: last: its last bytes."""

    left = False
    last: bytes | None = None

    async def read_body(self) -> bytes:
        return b""

    def unwatch(self) -> None: ...

    async def start(self, status: int, headers: object) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def finish(self, data: bytes, *, whole: bool = True) -> None:  # noqa: ARG002 -- as the pipeline calls it
        self.last = data


async def test_the_last_byte_leaves_when_what_can_be_gone_on_with_is_written(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    def waits() -> bool:
        with psycopg.connect(database_urls.owner) as connection:
            query = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'response'::regclass"
            return connection.execute(query).fetchone() is not None

    for choice, ends_first in (("full", False), ("metadata", True)):
        one = a_principal(database_urls.owner, store_content=choice)
        kept, heard = a_response(one, f"r_{choice}"), _Heard()
        keeping = Keeping(heard, b"", kept, dialogues.store.last_byte)
        await keeping.start(200, [(b"content-type", b"application/json")])
        with psycopg.connect(database_urls.owner) as connection:
            connection.execute("LOCK TABLE response IN EXCLUSIVE MODE")
            ending = asyncio.create_task(keeping.finish(bytes(kept.turn.response)))
            while not await asyncio.to_thread(waits):
                pass
            assert (heard.last is not None) is ends_first
        await ending
        assert heard.last == bytes(kept.turn.response)
        await dialogues.store.written(*kept.key, timeout_s=60)


async def test_one_request_after_the_other_goes_on_with_a_conversation(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one, worker_id = a_principal(database_urls.owner), uuid7()
    here = ConversationLocks(dialogues.database, worker_id, run_max_s=60)
    there = ConversationLocks(dialogues.database, uuid7(), run_max_s=60)
    made = await dialogues.change.create(one, b"{}", [])
    lock = await here.take(one, made.id)
    for attempt in (there.take(one, made.id), here.take(one, made.id), dialogues.change.add_items(one, made.id, [])):
        with pytest.raises(ConversationLockedError):
            await attempt
    kept = Kept(one, "r1", a_turn("hi", "to-hi", id_="r1"), conversation_id=made.id, lock=lock)
    await dialogues.keep(kept)
    lock = await there.take(one, made.id)  # given back with the write
    lock.give_back()
    await there.aclose()
    await here.take(one, made.id)
    await WorkerRelease(dialogues.database).release(worker_id)  # it was killed
    await there.take(one, made.id)
    with pytest.raises(NotFoundError):
        await there.take(a_principal(database_urls.owner), made.id)


async def test_a_lock_that_is_older_than_any_request_holds_nobody_up(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    locks = ConversationLocks(dialogues.database, uuid7(), run_max_s=0)
    made = await dialogues.change.create(one, b"{}", [])
    old = await locks.take(one, made.id)
    await locks.take(one, made.id)
    await dialogues.keep(Kept(one, "r1", a_turn("hi", "to-hi", id_="r1"), conversation_id=made.id, lock=old))
    with psycopg.connect(database_urls.owner) as connection:
        assert connection.execute("SELECT count(lock_id) FROM conversation").fetchone() == (1,)  # the later one's


async def test_a_turn_that_failed_is_no_part_of_its_conversation(
    dialogues: Dialogues, database_urls: DatabaseUrls
) -> None:
    one = a_principal(database_urls.owner)
    made = await dialogues.change.create(one, b"{}", [])
    await dialogues.keep(Kept(one, "r1", a_turn("a", "b", id_="r1", status="failed"), conversation_id=made.id))
    assert await dialogues.load.of_conversation(one, made.id) == []
