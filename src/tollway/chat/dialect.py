"""What a dialect that callers speak has to offer, so that any provider can be behind it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from tollway.chat.events import Event
from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.errors import TollwayError
from tollway.routing.call import Call, Surface


class StreamRenderer(Protocol):
    """Makes one stream of the dialect out of events."""

    def feed(self, events: Sequence[Event]) -> bytes:
        """What the caller gets for these events: whole server-sent events, or nothing yet."""
        ...

    def end(self) -> bytes:
        """The last of it, with the dialect's end mark. Called once, after all events; never after `Broke`."""
        ...


class Dialect(Protocol):
    """One dialect."""

    @property
    def names_request_id(self) -> bool:
        """Whether its SDKs look for the id of a request in ``request-id``, beside ``x-request-id``."""
        ...

    def parse(self, body: bytes, *, surface: Surface, headers: Mapping[bytes, bytes]) -> Call:
        """Read a request's body at its top level.

        Args:
            body: as it came.
            surface: where it came in.
            headers: of the request, names in lower case.

        Raises:
            MalformedBodyError, InvalidRequestError: it is no request of the dialect.
        """
        ...

    def error_body(self, error: TollwayError) -> bytes:
        """The error envelope."""
        ...

    def error_event(self, error: TollwayError) -> bytes:
        """The envelope as an event of a stream that has begun."""
        ...


class KeepingDialect(Dialect, Protocol):
    """A dialect whose replies are kept, and may be made in the background."""

    def state_body(self, call: Call, status: str, error: tuple[str, str] | None = None) -> bytes:
        """The reply before there is an answer, or where there is none.

        Args:
            call: the request; what it was recalled with names the reply.
            status: ``queued``, ``in_progress`` or ``failed``.
            error: code and message.
        """
        ...


class ChatDialect(Dialect, Protocol):
    """A dialect whose requests and replies can be translated."""

    def to_chat(self, call: Call, losses: Losses) -> ChatRequest:
        """The whole request.

        Raises:
            InvalidRequestError: a value is not what the dialect says; `param` names it.
            UnsupportedFieldError: see `Losses`.
        """
        ...

    def render_reply(self, reply: ChatReply, call: Call) -> bytes:
        """A whole reply. `reply.model` is what the provider said; `call.model` what was asked."""
        ...

    def renderer(self, call: Call) -> StreamRenderer:
        """Renders one stream; `call.wants_usage` says whether the caller asked for the usage at its end."""
        ...


@runtime_checkable
class Continuing(Protocol):
    """A dialect in which a stream that broke can be gone on with by another provider."""

    def continued(self, call: Call, told: str) -> Call | None:
        """The request that asks to go on where an answer broke off; ``None`` if this one cannot be gone on with.

        Args:
            call: the request.
            told: the text that the caller has of the answer.
        """
        ...
