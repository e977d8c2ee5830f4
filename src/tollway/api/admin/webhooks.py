"""Webhooks."""

from http import HTTPStatus

from fastapi import APIRouter

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.webhook import (
    Webhook,
    WebhookChange,
    WebhookCreate,
    WebhookDelivery,
    WebhookSecret,
    WebhookTest,
)
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import WebhookPath
from tollway.api.admin.problems import CONFLICT
from tollway.services.webhook_change import WebhookChanges

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.post("", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def create_webhook(body: WebhookCreate, access: Administrator, services: Services) -> WebhookSecret:
    """Create a webhook. The answer shows its secret this once. Scope: `admin`."""
    made = await services.webhook_change().create(
        access.organization_id,
        name=body.name,
        url=body.url,
        events=[*body.events],
        enabled=body.enabled,
        caller=access.principal,
    )
    return WebhookSecret.revealed(made)


@router.get("")
async def list_webhooks(access: Reader, services: Services, page: Paging) -> Listing[Webhook]:
    """The webhooks of the organization. Scope: `read`."""
    rows = await services.webhook_list().page(access.organization_id, page)
    return listing(rows, page, show=Webhook.model_validate, id_of=lambda row: row.id)


@router.get("/{webhook}")
async def get_webhook(webhook: WebhookPath, access: Reader, services: Services) -> Webhook:
    """One webhook. Scope: `read`."""
    return Webhook.model_validate(await services.webhook_list().find(access.organization_id, webhook))


@router.patch("/{webhook}", responses=CONFLICT)
async def change_webhook(
    webhook: WebhookPath, body: WebhookChange, access: Administrator, services: Services
) -> Webhook:
    """Change a webhook. Scope: `admin`."""
    changes = WebhookChanges(**body.model_dump())
    row = await services.webhook_change().change(access.organization_id, webhook, changes, caller=access.principal)
    return Webhook.model_validate(row)


@router.delete("/{webhook}", status_code=HTTPStatus.NO_CONTENT)
async def remove_webhook(webhook: WebhookPath, access: Administrator, services: Services) -> None:
    """Remove a webhook; what was still to be sent to it is not sent. Scope: `admin`."""
    await services.webhook_change().remove(access.organization_id, webhook, caller=access.principal)


@router.post("/{webhook}/rotate", status_code=HTTPStatus.CREATED)
async def rotate_webhook_secret(webhook: WebhookPath, access: Administrator, services: Services) -> WebhookSecret:
    """Give a webhook a new secret, shown this once; the old one signs nothing more. Scope: `admin`."""
    made = await services.webhook_change().rotate_secret(access.organization_id, webhook, caller=access.principal)
    return WebhookSecret.revealed(made)


@router.post("/{webhook}/test", status_code=HTTPStatus.ACCEPTED, responses=CONFLICT)
async def test_webhook(webhook: WebhookPath, access: Administrator, services: Services) -> WebhookTest:
    """Send it an event `webhook.test`; its deliveries tell what became of that. Scope: `admin`."""
    event_id = await services.webhook_change().test(access.organization_id, webhook, caller=access.principal)
    return WebhookTest(event_id=event_id)


@router.get("/{webhook}/deliveries")
async def list_deliveries(
    webhook: WebhookPath, access: Reader, services: Services, page: Paging
) -> Listing[WebhookDelivery]:
    """What was or is to be sent to a webhook, the newest first. Scope: `read`."""
    rows = await services.webhook_list().deliveries(access.organization_id, webhook, page)
    return listing(rows, page, show=WebhookDelivery.model_validate, id_of=lambda row: row.id)
