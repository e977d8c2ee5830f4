"""The caller of a request whose response is kept, as the pipeline sees it: what it gets is what is kept."""

from collections.abc import Awaitable, Callable

import msgspec
import structlog
from msgspec import Raw
from msgspec.structs import replace

from tollway.chat.items import is_id
from tollway.chat.turn import Turn, head_of
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.sse import EventSplitter
from tollway.services.inference.event_stream import is_event_stream
from tollway.services.inference.exchange import Caller, Headers
from tollway.services.inference.passing import Passing
from tollway.services.response_store import Kept

_OK = 200
_log = structlog.get_logger(__name__)


class _Event(msgspec.Struct):
    type: str = ""
    response: Raw = Raw(b"null")


_decode_event = tolerant(msgspec.json.Decoder(_Event).decode)


class Keeping(Passing):
    """Passes everything on, and keeps the response before the caller has its last byte."""

    def __init__(self, caller: Caller, body: bytes, kept: Kept | None, keep: Callable[[Kept], Awaitable[None]]) -> None:
        """Begin.

        Args:
            caller: the real one.
            body: that was read already.
            kept: what is known of the response; ``None`` if nothing is kept.
            keep: stores it; returns when the caller may have the last byte.
        """
        super().__init__(caller, body)
        self._kept = kept
        self._keep = keep
        self._status = 0
        self._streams = False
        self._chunks: list[bytes] = []

    async def start(self, status: int, headers: Headers) -> None:
        """Pass on the status and headers."""
        self._status = status
        self._streams = is_event_stream(headers)
        await super().start(status, headers)

    async def write(self, data: bytes) -> None:
        """Pass on a part of the body."""
        if not self._streams:
            self._chunks.append(data)
        await super().write(data)

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Pass on the last part of the body. Of a stream it holds the event that tells the whole response."""
        if self._kept is not None and self._status == _OK and whole:
            response = last_response(data) if self._streams else Raw(b"".join([*self._chunks, data]))
            await self._store(response, self._kept)
        await super().finish(data, whole=whole)

    async def _store(self, response: Raw | None, kept: Kept) -> None:
        id_ = head_of(response)[0] if response is not None else ""
        if response is None or not is_id(id_):
            _log.warning("response_not_kept", reason="the provider's reply has no id")
            return
        if kept.lock is not None:
            kept.lock.passed_on = True
        await self._keep(replace(kept, id=id_, turn=Turn(kept.turn.input, response)))


def last_response(data: bytes) -> Raw | None:
    """The whole response out of the last events of a stream."""
    splitter = EventSplitter()
    found = None
    for _, event in (*splitter.feed(data), *splitter.finish()):
        try:
            read = _decode_event(event)
        except MALFORMED:
            continue
        if read.type.startswith("response.") and bytes(read.response) != b"null":
            found = read.response
    return found
