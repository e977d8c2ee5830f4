"""Find webhooks, and what was sent to them."""

from collections.abc import Sequence

from tollway.data import webhooks
from tollway.data.page import Page
from tollway.data.schema.webhook import Webhook
from tollway.data.session import AnySession, Database
from tollway.data.webhooks import DeliveryRecord
from tollway.errors import NotFoundError


def no_webhook() -> NotFoundError:
    """There is none, or it is another tenant's."""
    return NotFoundError("There is no webhook of this name or id.", next_step="List them at /api/v1/webhooks.")


async def require_webhook(session: AnySession, organization_id: str, reference: str) -> Webhook:
    """The webhook of this id or name.

    Raises:
        NotFoundError: the organization has none.
    """
    row = await webhooks.find(session, organization_id, reference)
    if row is None:
        raise no_webhook()
    return row


class WebhookList:
    """Reads webhooks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, organization_id: str, reference: str) -> Webhook:
        """The webhook of this id or name.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            return await require_webhook(session, organization_id, reference)

    async def page(self, organization_id: str, page: Page) -> Sequence[Webhook]:
        """A page of the organization's webhooks."""
        async with self._database.read() as session:
            return await webhooks.page(session, organization_id, page)

    async def deliveries(self, organization_id: str, reference: str, page: Page) -> Sequence[DeliveryRecord]:
        """A page of what was or is to be sent to a webhook, the newest first.

        Raises:
            NotFoundError: the organization has none.
        """
        async with self._database.read() as session:
            row = await require_webhook(session, organization_id, reference)
            return await webhooks.deliveries(session, row.id, page)
