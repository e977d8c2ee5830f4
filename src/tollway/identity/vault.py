"""Envelope encryption of provider credentials: AES-256-GCM. Pure (`cryptography` does no I/O).

Each secret is encrypted under a data key of its own; the data key under the master key. Rotating the master key
re-wraps data keys and touches no secret. The row's identity is authenticated with both, so that a ciphertext moved to
another row does not open.
"""

import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32


class SecretKeys(msgspec.Struct, frozen=True):
    """The two keys of an installation. `repr` hides both."""

    master: bytes
    pepper: bytes

    def __repr__(self) -> str:
        return "SecretKeys(…)"


class SealedSecretError(ValueError):
    """A stored secret does not open: another master key, another row, or damaged."""


class Vault:
    """Seals and opens secrets under one master key."""

    def __init__(self, master: bytes) -> None:
        if len(master) != _KEY_BYTES:
            message = f"The master key must have {_KEY_BYTES} bytes, it has {len(master)}."
            raise ValueError(message)
        self._master = AESGCM(master)

    def seal(self, secret: str, *, identity: str) -> bytes:
        """Encrypt a text, as `seal_bytes` does."""
        return self.seal_bytes(secret.encode(), identity=identity)

    def seal_bytes(self, secret: bytes, *, identity: str) -> bytes:
        """Encrypt for the row `identity`: nonce, wrapped data key, nonce, ciphertext."""
        bound = identity.encode()
        data_key = os.urandom(_KEY_BYTES)
        key_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
        wrapped = self._master.encrypt(key_nonce, data_key, bound)
        return key_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, secret, bound)

    def open(self, sealed: bytes, *, identity: str) -> str:
        """Decrypt what `seal` made for the same row.

        Raises:
            SealedSecretError: the bytes do not open under this master key and identity.
        """
        return self.open_bytes(sealed, identity=identity).decode()

    def open_bytes(self, sealed: bytes, *, identity: str) -> bytes:
        """Decrypt what `seal_bytes` made for the same row.

        Raises:
            SealedSecretError: the bytes do not open under this master key and identity.
        """
        bound = identity.encode()
        wrapped_end = _NONCE_BYTES + _KEY_BYTES + 16  # GCM appends a 16-byte tag
        try:
            data_key = self._master.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:wrapped_end], bound)
            nonce_end = wrapped_end + _NONCE_BYTES
            return AESGCM(data_key).decrypt(sealed[wrapped_end:nonce_end], sealed[nonce_end:], bound)
        except (InvalidTag, ValueError) as error:
            message = "A stored credential does not open under the present master key."
            raise SealedSecretError(message) from error
