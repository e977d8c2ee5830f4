"""What a provider's own wire format has to offer: four pure parts, whatever dialect the caller speaks."""

from collections.abc import Sequence
from typing import Protocol

from tollway.chat.events import Event
from tollway.chat.losses import Losses
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.registry import ProviderSpec
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure


class WireStream(Protocol):
    """Reads one stream of a provider."""

    @property
    def done(self) -> bool:
        """Whether the stream said that it is whole: by its end mark, or its last event."""
        ...

    @property
    def torn(self) -> bool:
        """Whether the bytes so far end in the middle of an event."""
        ...

    def feed(self, chunk: bytes, /) -> Sequence[Event]:
        """The events that these bytes complete; cut anywhere. What cannot be read is skipped, never raised."""
        ...

    def finish(self) -> Sequence[Event]:
        """The connection ended: what was still held back."""
        ...


class Wire(Protocol):
    """One wire format. Stateless."""

    @property
    def name(self) -> str:
        """Of the format: the `source` of what it alone knows (`tollway.chat.message`)."""
        ...

    @property
    def streams_as(self) -> str:
        """Media type of its streams."""
        ...

    def build_request(
        self, chat: ChatRequest, *, deployment: Deployment, spec: ProviderSpec, model: str, losses: Losses
    ) -> UpstreamRequest:
        """The request for the provider: everything of `chat` is in it, or was reported to `losses`.

        Raises:
            UnsupportedFieldError: by `losses`.
        """
        ...

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> ChatReply | None:
        """A whole reply with its usage in disjoint counts; ``None`` if it is not of this format. Never raises."""
        ...

    def stream_parser(self, *, spec: ProviderSpec) -> WireStream:
        """A parser for one stream."""
        ...

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """What a refusal means: its class, and the provider's words."""
        ...
