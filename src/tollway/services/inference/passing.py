"""Callers that stand before another one, and see what passes."""

from tollway.services.inference.exchange import Caller, Headers


class Passing:
    """Passes everything on."""

    def __init__(self, caller: Caller, body: bytes | None = None) -> None:
        """Args: body: of the request, if it was read already."""
        self._caller = caller
        self._request_body = body

    @property
    def left(self) -> bool:
        """See `Caller.left`."""
        return self._caller.left

    async def read_body(self) -> bytes:
        """See `Caller.read_body`."""
        return await self._caller.read_body() if self._request_body is None else self._request_body

    async def start(self, status: int, headers: Headers) -> None:
        """See `Caller.start`."""
        await self._caller.start(status, headers)

    async def write(self, data: bytes) -> None:
        """See `Caller.write`."""
        await self._caller.write(data)

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """See `Caller.finish`."""
        await self._caller.finish(data, whole=whole)

    def unwatch(self) -> None:
        """See `Caller.unwatch`."""
        self._caller.unwatch()


class Remembering(Passing):
    """Passes everything on, and remembers it. Attributes: status: that was passed on, 0 before."""

    def __init__(self, caller: Caller, max_bytes: int, body: bytes | None = None) -> None:
        """Args: max_bytes: of the largest reply that is remembered; body: see `Passing`."""
        super().__init__(caller, body)
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        self.status = 0

    @property
    def body(self) -> bytes | None:
        """The reply; ``None`` if it is too large."""
        return b"".join(self._chunks) if self._size <= self._max_bytes else None

    async def start(self, status: int, headers: Headers) -> None:
        """Pass on the status and headers."""
        self.status = status
        await super().start(status, headers)

    async def write(self, data: bytes) -> None:
        """Pass on a part of the body."""
        self.remember(data)
        await super().write(data)

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Pass on the last part of the body."""
        self.remember(data)
        await super().finish(data, whole=whole)

    def remember(self, data: bytes) -> None:
        """Keep a part of the body, if there is room for all of it."""
        self._size += len(data)
        if self._size <= self._max_bytes:
            self._chunks.append(data)
        else:
            self._chunks.clear()
