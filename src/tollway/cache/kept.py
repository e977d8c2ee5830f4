"""What is kept of an answer, and where: the form that all stores share."""

from typing import Protocol

import msgspec


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One answer as its caller got it.

    Attributes:
        stored_at_s: epoch seconds.
        headers: those of the answer that are true again, names in lower case.
        body: all of it; of a stream, every event but what told the cost.
        charge: pico-dollars that it cost: what is saved each time.
        provider, model: who answered.
    """

    stored_at_s: float
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    charge: int
    provider: str
    model: str

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers) + _OVERHEAD_BYTES


_OVERHEAD_BYTES = 512


class CacheStore(Protocol):
    """Where answers are."""

    async def get(self, project_id: str, key: bytes) -> Kept | None:
        """The answer, if it is there. Never raises: a store that is away has nothing."""
        ...

    async def put(self, project_id: str, key: bytes, kept: Kept, *, ttl_s: int, max_bytes: int) -> None:
        """Keep an answer for `ttl_s` seconds, within `max_bytes` of the project. Never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of it. Never raises."""
        ...
