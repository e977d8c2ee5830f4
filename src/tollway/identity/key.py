"""The form of a Tollway key and its digest. Pure."""

import hmac
import secrets

PREFIX = "tw-"
_SECRET_BYTES = 32
_SHOWN_CHARS = 11
"""Characters of the key that are stored in clear and shown in lists: the prefix and 8 characters of the secret,
which leaves more than 200 unknown bits."""


def new_key() -> str:
    """A new random key: ``tw-`` and 256 random bits in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def shown_prefix(key: str) -> str:
    """The part of the key that may be stored and shown."""
    return key[:_SHOWN_CHARS]


def digest(pepper: bytes, key: bytes) -> bytes:
    """HMAC-SHA256 of the whole key under the pepper, 32 bytes: the only form in which a key is stored."""
    return hmac.digest(pepper, key, "sha256")
