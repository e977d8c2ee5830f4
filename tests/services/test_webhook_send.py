"""Events reach webhooks at least once, signed, whatever fails on the way, and one webhook cannot hold up another."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from support.quotas import an_organization
from support.standin import Close, Hang, Received, Reply, StandIn
from support.webhooks import a_webhook, budget_event, verify
from tollway.config import load_settings
from tollway.data import webhook_deliveries
from tollway.data.audit_events import Event, raise_events
from tollway.data.session import Database
from tollway.identity.vault import Vault
from tollway.identity.webhook_secret import new_webhook_secret, signature
from tollway.providers.transport import Transport
from tollway.services import webhook_send
from tollway.services.webhook_send import WEBHOOK_TIMEOUTS, WebhookSend

VAULT = Vault(b"m" * 32)
SECRET = new_webhook_secret()


class Outbox:
    """A database with webhooks, and a sender."""

    def __init__(self, database: Database, url: str) -> None:
        self.database, self.url = database, url
        self.organization_id = an_organization(url)
        self.sender = self.new_sender()

    def new_sender(self, **timeouts: float) -> WebhookSend:
        """A sender as patient as a machine that stands still for a while needs it to be."""
        limits = load_settings().limits.model_copy(update=dict.fromkeys(WEBHOOK_TIMEOUTS, 60.0) | timeouts)
        return WebhookSend(self.database, VAULT, Transport(limits))

    def add_webhook(self, target: str, *, organization_id: str = "", **columns: object) -> str:
        return a_webhook(self.url, organization_id or self.organization_id, target, VAULT, SECRET, **columns)

    async def tell(self, count: int = 1, *, organization_id: str = "", **detail: object) -> list[Event]:
        events = [budget_event(organization_id or self.organization_id, **detail) for _ in range(count)]
        async with self.database.write() as session, session.begin():
            await raise_events(session, events)
        return events

    async def send_due(self) -> int:
        """Send what is due, until nothing is."""
        total = 0
        while taken := await self.sender.pass_over():
            total += taken
            await self.sender.idle()
        return total

    def rows(self) -> list[tuple[int, bool, bool, str]]:
        """Of each delivery: attempts, whether it arrived, whether it is to be tried again, the last error."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                "SELECT attempts, delivered_at IS NOT NULL, next_at IS NOT NULL, last_error FROM webhook_delivery"
                " ORDER BY id"
            ).fetchall()

    def make_due(self, *, since: datetime) -> tuple[float, float]:
        """Let what waits be due now; how many seconds that was ahead of now for the first, and of a moment before."""
        with psycopg.connect(self.url) as connection:
            query = "SELECT min(next_at) - now(), min(next_at) - %s FROM webhook_delivery"
            row = connection.execute(query, [since]).fetchone()
            connection.execute("UPDATE webhook_delivery SET next_at = now() WHERE next_at IS NOT NULL")
        assert row
        return row[0].total_seconds(), row[1].total_seconds()


@pytest.fixture
async def outbox(database: Database, database_url: str) -> AsyncIterator[Outbox]:
    opened = Outbox(database, database_url)
    yield opened
    await opened.sender.aclose()


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    """Takes every event; paths that end in a number answer with that status."""

    def answer(received: Received) -> Reply:
        last = received.path.rpartition("/")[2]
        headers = (("location", "/v1/moved"),) if last.startswith("3") else ()
        return Reply([b"ok"], status=int(last) if last.isdigit() else 200, headers=headers)

    with StandIn(answer) as server:
        yield server


def test_a_signature_is_that_of_the_specification() -> None:
    # The vector that the reference libraries test themselves with.
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_an_event_arrives_once_signed_and_whole(outbox: Outbox, receiver: StandIn) -> None:
    outbox.add_webhook(receiver.base_url + "/hook?team=a")
    (event,) = await outbox.tell(limit_usd="0.000000000001", percent=80)
    assert await outbox.send_due() == 1
    assert await outbox.send_due() == 0
    (received,) = receiver.received
    verify(received, SECRET)
    assert (received.method, received.path) == ("POST", "/v1/hook?team=a")
    assert (received.header("webhook-id"), received.header("content-type")) == (event.id, "application/json")
    assert abs(int(received.header("webhook-timestamp") or 0) - time.time()) < 60
    told = json.loads(received.body)
    assert (told["id"], told["type"]) == (event.id, "budget.threshold")
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    assert told["data"] == {
        "organization_id": outbox.organization_id,
        "subject": event.subject,
        "actor_key_id": None,
        "limit_usd": "0.000000000001",
        "percent": 80,
    }
    assert outbox.rows() == [(1, True, False, "")]


async def test_what_fails_is_tried_again_ever_later_with_the_same_id_and_body(
    outbox: Outbox, receiver: StandIn
) -> None:
    outbox.add_webhook(receiver.base_url + "/500")
    await outbox.tell()
    for wait_s in (5, 10, 20, 40):
        before = datetime.now(UTC)
        assert await outbox.send_due() == 1
        at_least_s, at_most_s = outbox.make_due(since=before)
        assert at_least_s < 1.2 * wait_s
        assert at_most_s > 0.8 * wait_s
    assert outbox.rows() == [(4, False, True, "Answered 500.")]
    assert len({(each.header("webhook-id"), each.body) for each in receiver.received}) == 1
    for received in receiver.received:
        verify(received, SECRET)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(before=(Close(),)), "The connection broke, or the answer is not HTTP."),
        (Reply(before=(Hang(),)), "No answer in time."),
        (Reply(status=302, headers=(("location", "/v1/moved"),)), "Answered 302."),
        (Reply(status=410), "Answered 410."),
    ],
)
async def test_what_is_no_success_is_said_and_no_redirect_is_followed(outbox: Outbox, reply: Reply, error: str) -> None:
    with StandIn(lambda _: reply) as server:
        if Hang in map(type, reply.before):
            outbox.sender = outbox.new_sender(read_timeout_s=0.3)
        outbox.add_webhook(server.base_url)
        await outbox.tell()
        assert await outbox.send_due() == 1
        assert len(server.received) == 1
    assert outbox.rows() == [(1, False, True, error)]


async def test_a_tenants_webhook_never_reaches_into_the_own_network(outbox: Outbox, receiver: StandIn) -> None:
    outbox.add_webhook(receiver.base_url, public_only=True)
    outbox.add_webhook(receiver.base_url.replace("127.0.0.1", "localhost"), public_only=True)
    await outbox.tell()
    assert await outbox.send_due() == 2
    assert receiver.received == []
    assert {row[3] for row in outbox.rows()} == {
        "No connection: the host is unknown, refuses, or is not on the public internet."
    }


async def test_after_three_days_it_is_given_up(outbox: Outbox, receiver: StandIn, database_urls: object) -> None:
    outbox.add_webhook(receiver.base_url + "/503")
    await outbox.tell()
    with psycopg.connect(database_urls.owner) as owner:  # type: ignore[attr-defined]
        owner.execute("UPDATE audit_event SET at = %s", [datetime.now(UTC) - timedelta(days=3, minutes=1)])
    assert await outbox.send_due() == 1
    assert outbox.rows() == [(1, False, False, "Answered 503.")]
    assert await outbox.send_due() == 0


async def test_a_webhook_that_is_switched_off_gets_nothing_until_it_is_on_again(
    outbox: Outbox, receiver: StandIn, database_url: str
) -> None:
    webhook_id = outbox.add_webhook(receiver.base_url)
    await outbox.tell()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE webhook SET enabled = false WHERE id = %s", [webhook_id])
        assert await outbox.send_due() == 0
        connection.execute("UPDATE webhook SET enabled = true WHERE id = %s", [webhook_id])
    assert await outbox.send_due() == 1


async def test_a_sender_that_dies_after_sending_sends_again(outbox: Outbox, receiver: StandIn) -> None:
    outbox.add_webhook(receiver.base_url)
    await outbox.tell()
    async with outbox.database.write() as session, session.begin():  # takes it, sends it perhaps, and is killed
        await webhook_deliveries.take_due(
            session, limit=9, each_webhook=9, each_organization=9, busy_webhooks=(), busy_organizations=(), lease_s=600
        )
    assert await outbox.send_due() == 0
    assert outbox.make_due(since=datetime.now(UTC))[0] > 300
    assert await outbox.send_due() == 1
    assert outbox.rows() == [(2, True, False, "")]


async def test_senders_at_the_same_time_send_each_event_once(outbox: Outbox, receiver: StandIn) -> None:
    for _ in range(3):
        outbox.add_webhook(receiver.base_url)
    await outbox.tell(40)
    senders = [outbox.new_sender() for _ in range(3)]
    while any([await sender.pass_over() for sender in senders]):
        pass
    for sender in senders:
        await sender.idle()
    while await outbox.send_due():
        pass
    assert len(receiver.received) == 3 * 40
    assert set(outbox.rows()) == {(1, True, False, "")}


async def test_a_webhook_that_hangs_delays_no_other(
    outbox: Outbox, receiver: StandIn, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_send, "_CLOSE_TIMEOUT_S", 0.1)
    other = an_organization(database_url)
    with StandIn(lambda _: Reply(before=(Hang(),))) as tarpit:
        for _ in range(20):
            outbox.add_webhook(tarpit.base_url)
        await outbox.tell(20)
        assert await outbox.sender.pass_over() == webhook_send._DELIVERIES_A_PASS
        outbox.add_webhook(receiver.base_url, organization_id=other)
        await outbox.tell(6, organization_id=other)
        while len(receiver.received) < 6:
            await outbox.sender.pass_over()
            await asyncio.sleep(0.01)
        assert 1 < len(outbox.sender._sending) <= 16, "one organization took every place"
        await outbox.sender.aclose()


async def test_a_secret_that_does_not_open_is_told_and_sends_nothing(outbox: Outbox, receiver: StandIn) -> None:
    outbox.add_webhook(receiver.base_url)
    outbox.sender._vault = Vault(b"x" * 32)
    await outbox.tell()
    assert await outbox.send_due() == 1
    assert receiver.received == []
    assert outbox.rows() == [(1, False, True, "The secret cannot be opened with the present master key.")]


async def test_old_deliveries_are_deleted_and_open_ones_stay(outbox: Outbox, receiver: StandIn) -> None:
    outbox.add_webhook(receiver.base_url)
    await outbox.tell(3)
    await outbox.send_due()
    await outbox.tell(1)
    async with outbox.database.write() as session, session.begin():
        assert await webhook_deliveries.purge(session, older_than_s=3_600, limit=10) == 0
        assert await webhook_deliveries.purge(session, older_than_s=-1, limit=2) == 2
        assert await webhook_deliveries.purge(session, older_than_s=-1, limit=10) == 1
    assert outbox.rows() == [(0, False, True, "")]
