"""The request that tells a webhook of an event: its body, and its headers as Standard Webhooks 1.0 has them."""

import time

import msgspec

from tollway.data.webhook_deliveries import Delivery
from tollway.identity.webhook_secret import signature


class _Message(msgspec.Struct):
    id: str
    type: str
    timestamp: str
    data: dict[str, object]


_encode = msgspec.json.Encoder().encode


def message(delivery: Delivery, secret: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt.

    All attempts have the same body and the same ``webhook-id``: the event's, by which a receiver knows what it has
    already. The timestamp, and so the signature, are of this attempt.
    """
    data = {
        "organization_id": delivery.organization_id,
        "subject": delivery.subject,
        "actor_key_id": delivery.actor_key_id,
        **delivery.detail,
    }
    body = _encode(_Message(delivery.event_id, delivery.action, delivery.at.isoformat(), data))
    timestamp_s = int(time.time())
    return {
        "content-type": "application/json",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature(secret, message_id=delivery.event_id, timestamp_s=timestamp_s, body=body),
    }, body
