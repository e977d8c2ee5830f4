"""The secret of a webhook, and what is signed with it. Pure.

Source: the Standard Webhooks specification 1.0 (standardwebhooks.com), symmetric signatures.
"""

import base64
import hmac
import secrets

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_webhook_secret() -> str:
    """A new random secret in the form that receivers' libraries take: ``whsec_`` and 256 bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def webhook_vault_identity(webhook_id: str) -> str:
    """What a webhook's sealed secret is bound to."""
    return f"webhook:{webhook_id}"


def signature(secret: str, *, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of ``webhook-signature`` for a message.

    Args:
        secret: from `new_webhook_secret`.
        message_id: value of ``webhook-id``.
        timestamp_s: value of ``webhook-timestamp``: Unix seconds of this attempt.
        body: as it is sent.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp_s, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
