"""Who is it? A key is looked up in memory; only one never seen before asks the database."""

import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from tollway.constants import KEY_CACHE_ENTRIES, UNKNOWN_KEY_CACHE_ENTRIES, UNKNOWN_KEY_TTL_S
from tollway.errors import (
    AuthenticationError,
    ExpiredKeyError,
    MissingKeyError,
    PermissionDeniedError,
    RevokedKeyError,
)
from tollway.identity.key import digest
from tollway.identity.principal import Principal, Scope

KEY_MAX_BYTES = 256
_SECRET_BYTES = 32
_REFRESH_BATCH = 1_000
"""Keys read again in one query."""
_HOW_TO_SEND = "Send it as `Authorization: Bearer tw-…`."

_V = TypeVar("_V")
FindKeys = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Principal]]]
"""Digests → those of them that exist."""


class _Known(NamedTuple):
    """A key that was found in the database: its stored digest, and what it stands for."""

    digest: bytes
    principal: Principal


class Authenticator:
    """Checks keys against a bounded cache in front of the database.

    The database knows a key by its HMAC-SHA256 under the installation's pepper. The cache, which every request reads,
    knows it by its keyed BLAKE2b under a secret that this process made for itself: as strong, and four times as fast
    as OpenSSL's HMAC on input this short. The key itself is kept in neither. Digests are compared whole, by equality
    of the dictionary's keys; as nobody outside can choose or see them, the time that takes tells nothing about a key.
    """

    def __init__(self, pepper: bytes, find: FindKeys) -> None:
        self._pepper = pepper
        self._find = find
        self._secret = os.urandom(_SECRET_BYTES)
        self._known: dict[bytes, _Known] = {}
        self._unknown: dict[bytes, float] = {}
        self._generation = self._made = 0

    def cached(self, key: bytes) -> Principal | None:
        """The principal of a key that is in memory and still valid, else ``None``. Never waits.

        Raises:
            ExpiredKeyError, RevokedKeyError: the key was valid once.
        """
        known = self._known.get(self._mark(key))
        if known is None:
            return None
        principal = known.principal
        if principal.expires_at is not None or principal.revoked_at is not None:
            _require_alive(principal)
        return principal

    async def authenticate(self, key: bytes) -> Principal:
        """The principal of a key, from memory or from the database.

        Raises:
            MissingKeyError, AuthenticationError, ExpiredKeyError, RevokedKeyError: the caller is not known.
            DatabaseUnavailableError: the key is not in memory and could not be looked up.
        """
        if not key:
            raise MissingKeyError("No key was sent.", next_step=_HOW_TO_SEND)
        if len(key) > KEY_MAX_BYTES:
            raise _unknown_key()
        principal = self.cached(key)
        if principal is not None:
            return principal
        mark = self._mark(key)
        if self._unknown.get(mark, 0.0) > time.monotonic():
            raise _unknown_key()
        generation, made = self._generation, self._made
        stored = digest(self._pepper, key)
        principal = (await self._find([stored])).get(stored)
        # Where a change was announced while we read, the answer may be old.
        if principal is None:
            if made == self._made:
                _put(self._unknown, mark, time.monotonic() + UNKNOWN_KEY_TTL_S, UNKNOWN_KEY_CACHE_ENTRIES)
            raise _unknown_key()
        _require_alive(principal)
        if generation == self._generation:
            _put(self._known, mark, _Known(stored, principal), KEY_CACHE_ENTRIES)
        return principal

    def follow_key(self, key_id: str, ends_at_s: float | None) -> None:
        """Hear of a key that was made or ends. It takes no database: that may be away at its next use.

        Args:
            key_id: of the key.
            ends_at_s: when, in seconds since the epoch; infinite for a new one. ``None``: it is not known what became
                of it, so its next use reads the database.
        """
        self._made += 1
        self._unknown.clear()
        if ends_at_s == math.inf:
            return
        self._generation += 1
        for mark, known in [each for each in self._known.items() if each[1].principal.key_id == key_id]:
            if ends_at_s is None:
                del self._known[mark]
            else:
                self._known[mark] = known._replace(principal=replace(known.principal, revoked_at=ends_at_s))

    async def refresh(self) -> None:
        """Read every cached key again, in case an announcement was lost. Keys stay usable meanwhile.

        Raises:
            DatabaseUnavailableError: the database is away; what was not read yet stays as it is.
        """
        self._unknown.clear()
        known = list(self._known.items())
        for start in range(0, len(known), _REFRESH_BATCH):
            await self._refresh(known[start : start + _REFRESH_BATCH])

    async def _refresh(self, batch: Sequence[tuple[bytes, _Known]]) -> None:
        generation = self._generation
        found = await self._find([known.digest for _, known in batch])
        for mark, known in batch:
            principal = found.get(known.digest)
            if principal is None:
                self._known.pop(mark, None)
            elif mark in self._known and generation == self._generation:
                self._known[mark] = _Known(known.digest, principal)

    def _mark(self, key: bytes) -> bytes:
        return blake2b(key, key=self._secret, digest_size=_SECRET_BYTES).digest()


def key_from_headers(authorization: bytes, api_key: bytes) -> bytes:
    """The key in ``Authorization: Bearer …``, else in ``x-api-key``; empty if neither holds one."""
    if authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return api_key.strip()


def require_scope(principal: Principal, scope: Scope) -> None:
    """Refuse a principal that lacks the scope.

    Raises:
        PermissionDeniedError: it lacks it.
    """
    if scope not in principal.scopes:
        raise PermissionDeniedError(
            f"This key does not have the scope `{scope}`.",
            next_step="Use a key that has it; scopes are fixed at creation.",
        )


def _require_alive(principal: Principal) -> None:
    now = time.time()
    if principal.revoked_at is not None and principal.revoked_at <= now:
        raise RevokedKeyError("This key was revoked.", next_step="Ask an administrator for a new one.")
    if principal.expires_at is not None and principal.expires_at <= now:
        raise ExpiredKeyError("This key has expired.", next_step="Ask an administrator for a new one.")


def _unknown_key() -> AuthenticationError:
    return AuthenticationError("This key is not known here.", next_step=f"Check that it is complete. {_HOW_TO_SEND}")


def _put(cache: dict[bytes, _V], key: bytes, value: _V, limit: int) -> None:
    """Add to a bounded cache; the oldest entry makes room."""
    if len(cache) >= limit:
        del cache[next(iter(cache))]
    cache[key] = value
