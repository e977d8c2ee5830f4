"""Deliver the outbox: each event to each webhook that wants it, at least once, signed, for three days.

A webhook that hangs or fails delays nobody else's: it has its own few attempts at a time, and so has its organization.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from tollway.data import webhook_deliveries as store
from tollway.data.session import Database
from tollway.data.webhook_deliveries import Delivery
from tollway.errors import DatabaseUnavailableError, UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError
from tollway.identity.vault import SealedSecretError, Vault
from tollway.identity.webhook_secret import webhook_vault_identity
from tollway.providers.transport import Transport
from tollway.services.webhook_message import message

_WEBHOOKS_AT_ONCE = 32
_WEBHOOKS_AT_ONCE_PER_ORGANIZATION = 8
"""When so many of its webhooks are being told, an organization waits for one to end."""
_DELIVERIES_AT_ONCE = 4
"""Of one webhook."""
_DELIVERIES_A_PASS = 8
"""Of one organization."""
WEBHOOK_TIMEOUTS = {"connect_timeout_s": 5.0, "read_timeout_s": 10.0, "total_timeout_s": 15.0}
"""In place of those for models, which think for minutes."""
_LEASE_S = 120.0
"""Several times what an attempt may take; a delivery whose process died is due again after it."""
_BACK_OFF_MIN_S, _BACK_OFF_MAX_S = 5.0, 3_600.0
_JITTER = 0.2
_KEEP_TRYING = timedelta(days=3)
_REPLY_MAX_BYTES = 16 * 1024
"""Of a reply nothing but the status is used; a short body is read so that the connection can be used again."""
_OK = range(200, 300)
_CLOSE_TIMEOUT_S = 5.0
_DATABASE_BACK_OFF_S = 5.0
_PURGE_INTERVAL_S = 3_600.0
_PURGE_AGE_S = 30 * 86_400.0
_PURGE_BATCH = 1_000
_log = structlog.get_logger(__name__)


class _Result(msgspec.Struct):
    """What became of one attempt: no error is success."""

    delivery: Delivery
    error: str


class WebhookSend:
    """Sends what is due. Any number of processes may do so at the same time.

    Args:
        database: the application's.
        vault: opens the secrets.
        transport: with the short timeouts of webhooks.
    """

    def __init__(self, database: Database, vault: Vault, transport: Transport) -> None:
        self._database = database
        self._vault = vault
        self._transport = transport
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._organizations: Counter[str] = Counter()
        self._freed = asyncio.Event()
        self._purge_due_s = 0.0

    async def run(self, stop: asyncio.Event, *, interval_s: float) -> None:
        """Send until `stop` is set, then end what is being sent. Outlives an absent database."""
        while not stop.is_set():
            pause_s = interval_s
            try:
                if await self.pass_over():
                    pause_s = 0.0
                await self._purge()
            except DatabaseUnavailableError as error:
                _log.warning("webhooks_wait", reason=str(error))
                pause_s = _DATABASE_BACK_OFF_S
            except Exception:  # noqa: BLE001 -- deliveries wait in the database: whatever the fault, try again
                _log.exception("webhooks_failed")
                pause_s = _DATABASE_BACK_OFF_S
            await self._pause(stop, pause_s)
        await self.aclose()

    async def pass_over(self) -> int:
        """Begin to send what is due and has room; how many deliveries that are.

        Raises:
            DatabaseUnavailableError: nothing was begun.
        """
        room = _WEBHOOKS_AT_ONCE - len(self._sending)
        if room <= 0:
            return 0
        full = [name for name, count in self._organizations.items() if count >= _WEBHOOKS_AT_ONCE_PER_ORGANIZATION]
        async with self._database.write() as session, session.begin():
            taken = await store.take_due(
                session,
                limit=room,
                each_webhook=_DELIVERIES_AT_ONCE,
                each_organization=_DELIVERIES_A_PASS,
                busy_webhooks=self._sending.keys(),
                busy_organizations=full,
                lease_s=_LEASE_S,
            )
        for deliveries in _by_webhook(taken):
            self._begin(deliveries)
        return len(taken)

    async def idle(self) -> None:
        """Wait until everything that was begun has ended."""
        while self._sending:
            await asyncio.wait(self._sending.values())

    async def aclose(self) -> None:
        """End what is being sent, or leave it to the next process."""
        if self._sending:
            await asyncio.wait(self._sending.values(), timeout=_CLOSE_TIMEOUT_S)
        for task in self._sending.values():
            task.cancel()
        await self._transport.aclose()

    def _begin(self, deliveries: Sequence[Delivery]) -> None:
        webhook_id, organization_id = deliveries[0].webhook_id, deliveries[0].organization_id

        def ended(_: asyncio.Task[None]) -> None:
            del self._sending[webhook_id]
            self._organizations[organization_id] -= 1
            self._organizations += Counter()  # drops the zeros
            self._freed.set()

        task = asyncio.create_task(self._send_all(deliveries))
        self._sending[webhook_id] = task
        self._organizations[organization_id] += 1
        task.add_done_callback(ended)

    async def _pause(self, stop: asyncio.Event, longest_s: float) -> None:
        """Wait until there is room for the next deliveries of a webhook, or for so long."""
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(self._freed.wait())]
        await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self._freed.clear()

    async def _send_all(self, deliveries: Sequence[Delivery]) -> None:
        """Send to one webhook and note the results. What cannot be noted is sent again after the lease."""
        results = await asyncio.gather(*(self._send(delivery) for delivery in deliveries))
        try:
            async with self._database.write() as session, session.begin():
                await store.mark_delivered(session, [each.delivery.id for each in results if not each.error])
                for each in results:
                    if each.error:
                        after_s = _again_after_s(each.delivery)
                        await store.mark_failed(session, each.delivery.id, error=each.error, again_after_s=after_s)
        except DatabaseUnavailableError as error:
            _log.warning("webhook_results_not_noted", webhook_id=deliveries[0].webhook_id, reason=str(error))

    async def _send(self, delivery: Delivery) -> _Result:
        error = await self._attempt(delivery)
        if error:
            _log.info("webhook_failed", webhook_id=delivery.webhook_id, attempts=delivery.attempts, reason=error)
        return _Result(delivery, error)

    async def _attempt(self, delivery: Delivery) -> str:
        """Send once; what went wrong, in words for the tenant: nothing of our network is in them."""
        try:
            secret = self._vault.open(delivery.secret, identity=webhook_vault_identity(delivery.webhook_id))
            headers, body = message(delivery, secret)
            async with self._transport.post(
                delivery.url, headers=headers, body=body, provider="webhook", public_only=delivery.public_only
            ) as upstream:
                status = upstream.status
                with suppress(UpstreamError):  # it has the event, whatever it says about it
                    await upstream.read_all(_REPLY_MAX_BYTES)
        except SealedSecretError:
            return "The secret cannot be opened with the present master key."
        except UpstreamTimeoutError:
            return "No answer in time."
        except UpstreamUnreachableError:
            return "No connection: the host is unknown, refuses, or is not on the public internet."
        except UpstreamError:
            return "The connection broke, or the answer is not HTTP."
        except Exception:  # noqa: BLE001 -- one webhook's defect must not keep the results of the others
            _log.exception("webhook_defect", webhook_id=delivery.webhook_id)
            return "Tollway failed to send this."
        return "" if status in _OK else f"Answered {status}."

    async def _purge(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._purge_due_s:
            return
        async with self._database.write() as session, session.begin():
            deleted = await store.purge(session, older_than_s=_PURGE_AGE_S, limit=_PURGE_BATCH)
        if deleted < _PURGE_BATCH:
            self._purge_due_s = now_s + _PURGE_INTERVAL_S


def _by_webhook(deliveries: Iterable[Delivery]) -> Iterable[Sequence[Delivery]]:
    found: defaultdict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        found[delivery.webhook_id].append(delivery)
    return found.values()


def _again_after_s(delivery: Delivery) -> float | None:
    """Seconds to the next attempt; ``None`` once it was tried for long enough."""
    if datetime.now(UTC) - delivery.at > _KEEP_TRYING:
        return None
    longest_s: float = min(_BACK_OFF_MIN_S * 2 ** min(delivery.attempts - 1, 20), _BACK_OFF_MAX_S)
    return longest_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 -- spreads retries, keeps no secret
