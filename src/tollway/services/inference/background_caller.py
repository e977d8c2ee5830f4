"""Whom the pipeline answers when a response runs on its own: nobody waits, so the reply is collected, or logged."""

import msgspec
from msgspec import Raw

from tollway.chat.dialect import KeepingDialect
from tollway.chat.told_event import BEGINNINGS, ENDINGS, numbered, read
from tollway.chat.turn import head_of
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.sse import EventSplitter
from tollway.routing.call import Call
from tollway.services.event_log import EventBatch, EventLog
from tollway.services.inference.event_stream import is_event_stream
from tollway.services.inference.exchange import Headers

_OK = 200
_ERROR = "error"
_SAID_MAX = 2_000


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    code: str | None = None


class _Refused(msgspec.Struct):
    error: _Error = _Error()


_decode_refused = tolerant(msgspec.json.Decoder(_Refused).decode)


class Collected:
    """The caller of one that is not streamed.

    Attributes:
        answered: whether the real one has its answer: that it is queued.
        left: whether it is to end.
    """

    def __init__(self, body: bytes) -> None:
        """Args: body: of the request, which was read already."""
        self._body = body
        self._chunks: list[bytes] = []
        self._status = 0
        self.left = False
        self.answered = False

    async def read_body(self) -> bytes:
        """The body that was read already."""
        return self._body

    async def start(self, status: int, headers: Headers) -> None:  # noqa: ARG002 -- nobody gets them
        """Take the status."""
        self._status = status

    async def write(self, data: bytes) -> None:
        """Take a part of the reply."""
        self._chunks.append(data)

    async def finish(self, data: bytes, *, whole: bool = True) -> None:  # noqa: ARG002 -- a whole reply is one
        """Take the last part of the reply."""
        self._chunks.append(data)

    def unwatch(self) -> None:
        """Nobody watches."""

    def response(self, dialect: KeepingDialect, call: Call) -> bytes:
        """What came of it, once it ended."""
        body = b"".join(self._chunks)
        return body if self._status == _OK else failed(dialect, call, body)

    async def last_events(self, response: bytes) -> EventBatch | None:  # noqa: ARG002 -- it has none
        """Those that are to be stored with the response; ``None`` if it is not streamed."""
        return None

    def begun(self, events: EventBatch) -> None:
        """The response is stored as one that runs, with these events."""

    def ended(self, events: EventBatch) -> None:
        """It is stored as it ended, with these events."""


class Logged(Collected):
    """The caller of one that is streamed: its events are numbered anew, behind those that said that it is queued."""

    def __init__(self, body: bytes, log: EventLog) -> None:
        super().__init__(body)
        self._log = log
        self._splitter = EventSplitter()
        self._streams = False
        self._error = b""
        self._ending: tuple[str, dict[str, Raw]] | None = None

    async def start(self, status: int, headers: Headers) -> None:
        """Take the status."""
        await super().start(status, headers)
        self._streams = is_event_stream(headers)

    async def write(self, data: bytes) -> None:
        """Take a part of the reply; waits while too much of it waits for the database."""
        if not self._streams:
            await super().write(data)
            return
        for _, event in self._splitter.feed(data):
            self._take(event)
        await self._log.room()

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Take the last part of the reply."""
        await super().finish(data, whole=whole) if not self._streams else await self.write(data)
        for _, event in self._splitter.finish():
            self._take(event)

    def response(self, dialect: KeepingDialect, call: Call) -> bytes:
        """See `Collected.response`."""
        if not self._streams:
            return super().response(dialect, call)
        if self._ending is None:
            return failed(dialect, call, self._error or b"The stream of the provider broke off.")
        return bytes(self._ending[1]["response"])

    async def last_events(self, response: bytes) -> EventBatch | None:
        """See `Collected.last_events`."""
        kind = ENDINGS.get(head_of(response)[1], ENDINGS["completed"])
        if self._ending is None or bytes(self._ending[1]["response"]) != response:
            self._ending = (kind, {"response": Raw(response)})
        await self._log.stop_writing()
        rest = self._log.unwritten
        last = numbered(*self._ending, self._log.next_number)
        return EventBatch(rest.first, (*rest.events, last))

    def begun(self, events: EventBatch) -> None:
        """See `Collected.begun`."""
        self._log.note_written(events)
        self._log.start_writing()

    def ended(self, events: EventBatch) -> None:
        """See `Collected.ended`."""
        self._log.add(events.events[-1])
        self._log.note_written(events)

    def _take(self, data: bytes) -> None:
        kind, members = read(data)
        if kind in ENDINGS.values() and "response" in members:
            self._ending = (kind, members)  # told when it is stored
        elif kind == _ERROR:
            self._error = data
        elif kind and kind not in BEGINNINGS:
            self._log.add(numbered(kind, members, self._log.next_number))


def failed(dialect: KeepingDialect, call: Call, body: bytes) -> bytes:
    """The response of a request that its provider refused with this body."""
    try:
        error = _decode_refused(body).error
    except MALFORMED:
        error = _Error(body[:_SAID_MAX].decode(errors="replace"))
    return dialect.state_body(call, "failed", (error.code or "server_error", error.message))
