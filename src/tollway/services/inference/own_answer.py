"""An answer that is made here, in the place of a provider's."""

from collections.abc import Callable

from tollway.providers.transport import Upstream
from tollway.services.inference.counting import Counting

_OK = 200


class OwnAnswer(Upstream):
    """What stands for the exchange with a provider, so that such a request goes through every step of the pipeline."""

    __slots__ = ("_counting", "_make")

    def __init__(self, make: Callable[[], bytes], counting: Counting) -> None:
        """Begin.

        Args:
            make: makes the body; it may take its time.
            counting: where it does.
        """
        self._make = make
        self._counting = counting
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
            OverloadedError: see `Counting`.
        """
        return await self._counting.run(self._make)

    def close(self) -> None:
        """There is no connection."""
