"""Answers in Redis or Valkey, shared by all workers and machines. Optional; one that is away is as good as empty."""

import asyncio
import contextlib
import time

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollway.cache.kept import Kept

TIMEOUT_S = 0.25
_REST_S = 5.0
"""A server that failed is not asked again for so long: callers should not wait for it one after the other."""
_PREFIX = b"tollway:answer:"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode
_log = structlog.get_logger(__name__)


class SharedStore:
    """A store of all workers. How much is kept all in all is for the server to say (``maxmemory``)."""

    def __init__(self, url: str) -> None:
        """Connects to nothing yet.

        Raises:
            ValueError: the address cannot be used.
        """
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._rests_until_s = 0.0

    async def get(self, project_id: str, key: bytes) -> Kept | None:
        """See `CacheStore.get`."""
        if self._rests:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await self._redis.get(_place(project_id, key))
            return None if not isinstance(found, bytes) else _decode(found)
        except (RedisError, OSError, TimeoutError, msgspec.MsgspecError) as error:
            self._failed(error)
            return None

    async def put(self, project_id: str, key: bytes, kept: Kept, *, ttl_s: int, max_bytes: int) -> None:
        """See `CacheStore.put`."""
        if self._rests or kept.size_bytes > max_bytes:
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._redis.set(_place(project_id, key), _encode(kept), ex=ttl_s)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)

    async def aclose(self) -> None:
        """Close the connections."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                await self._redis.aclose()

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until_s

    def _failed(self, error: Exception) -> None:
        self._rests_until_s = time.monotonic() + _REST_S
        _log.warning("response_cache_away", reason=type(error).__name__)


def _place(project_id: str, key: bytes) -> bytes:
    return _PREFIX + project_id.encode() + b":" + key
