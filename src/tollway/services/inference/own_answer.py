"""An answer that is made here, in the place of a provider's."""

from collections.abc import Awaitable, Callable

from tollway.providers.transport import Upstream

_OK = 200


class OwnAnswer(Upstream):
    """What stands for the exchange with a provider, so that such a request goes through every step of the pipeline."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], Awaitable[bytes]]) -> None:
        """Args: make: makes the body; it may take its time."""
        self._make = make
        self.status = _OK
        self.headers = [("content-type", "application/json"), ("x-tollway-estimated", "true")]

    async def send(self) -> None:
        """Nobody is asked."""

    async def read(self) -> bytes | None:
        """Nothing: the body is read as a whole."""
        return None

    async def read_all(self, limit: int) -> bytes:  # noqa: ARG002 -- it is our own
        """The body.

        Raises:
            RateLimitedError, OverloadedError: see `FairThread`.
        """
        return await self._make()

    def close(self) -> None:
        """There is no connection."""
