"""Webhooks on the wire. The secret is shown once."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from tollway.api.admin.models.base import Given, Name, Shown
from tollway.data.audit_events import Action
from tollway.services.webhook_change import WebhookWithSecret


def _once(events: list[str]) -> list[str]:
    if len(set(events)) < len(events):
        raise ValueError("Name each event once.")
    return events


def _thresholds() -> list[Action | Literal["*"]]:
    return [Action.BUDGET_THRESHOLD]


_ENABLED = "A disabled one is told nothing: what happens meanwhile is not sent later."
WebhookUrl = Annotated[
    str,
    StringConstraints(pattern=r'^https?://[!"$-?A-~]{1,1000}$', max_length=1_008),
    Field(
        description="Where events are posted to. Without scope `platform`: https only, and no private, loopback or "
        "link-local address.",
        examples=["https://example.com/hooks/tollway"],
    ),
]
Events = Annotated[
    list[Action | Literal["*"]],
    Field(min_length=1, max_length=len(Action) + 1, description="Actions of the audit log; `*`: all of them."),
    AfterValidator(_once),
]


class WebhookCreate(Given):
    """A new webhook."""

    name: Name = Field(examples=["alerts"])
    url: WebhookUrl
    events: Events = Field(default_factory=_thresholds)
    enabled: bool = Field(True, description=_ENABLED)


class WebhookChange(Given):
    """What to change; what is left out stays."""

    name: Name | None = None
    url: WebhookUrl | None = None
    events: Events | None = None
    enabled: bool | None = Field(None, description=_ENABLED)


class Webhook(Shown):
    """A webhook, without its secret."""

    id: str
    organization_id: str
    name: str
    url: str
    events: list[str]
    enabled: bool
    created_at: datetime


class WebhookSecret(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(
        description="What `webhook-signature` is made with (Standard Webhooks). It cannot be shown again.",
        examples=["whsec_…"],
    )

    @classmethod
    def revealed(cls, made: WebhookWithSecret) -> Self:
        """As shown this once."""
        return cls(**Webhook.model_validate(made.webhook).model_dump(), secret=made.secret)


class WebhookTest(BaseModel):
    """A test that is on its way."""

    event_id: str = Field(description="Its `webhook-id`; see the webhook's deliveries.")


class WebhookDelivery(Shown):
    """What became of one event on its way to a webhook."""

    id: str
    event_id: str
    action: Action
    at: datetime = Field(description="When it happened.")
    attempts: int
    delivered_at: datetime | None
    next_at: datetime | None = Field(description="When it is tried again; null: it has arrived, or was given up.")
    last_error: str
