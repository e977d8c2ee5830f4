"""Adapters: how one request is asked of one provider, and what its reply says. Pure; the transport carries the bytes.

Where the caller and the provider speak the same dialect, an adapter passes bytes through
(`tollway.providers.openai_compatible.adapter`); everywhere else `tollway.providers.translation` goes between them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from tollway.ledger.usage import Usage
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.registry import ProviderSpec
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

DEFAULT_TIERS = frozenset({"", "default", "auto", "standard"})
"""Names of the service tier that has a model's usual prices."""


DELIVERED_KEPT_MAX = 1 << 20
"""Of what a stream delivered (bytes, or characters) is kept for an estimate, should the provider never count; what
comes after is counted by its length."""


def priced_tier(service_tier: str) -> str:
    """The name of a service tier, empty for the one that has a model's usual prices."""
    return "" if service_tier in DEFAULT_TIERS else service_tier


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What the transport sends.

    Attributes:
        dropped: fields of the caller's that were left out, as the project allowed.
        made: makes the reply here, and nobody is asked; it may take its time, so it runs in a thread.
    """

    url: str
    headers: dict[str, str]
    body: bytes
    dropped: tuple[str, ...] = ()
    made: Callable[[], bytes] | None = None


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a provider said of its reply.

    Attributes:
        model: the model that answered, empty if not said.
        usage: the provider's own count, ``None`` if it gave none that adds up.
        provider_cost: pico-dollars the provider says it charges.
        service_tier: the tier that served the request, if its price differs from the default one.
        body: what the caller gets; ``None`` for the provider's own bytes.
    """

    model: str = ""
    usage: Usage | None = None
    provider_cost: int | None = None
    service_tier: str = ""
    body: bytes | None = None


class StreamReader(Protocol):
    """Reads one stream of a provider, and gives what the caller gets."""

    @property
    def done(self) -> bool:
        """Whether the end mark came."""
        ...

    @property
    def counted(self) -> bool:
        """Whether the usage that was told is of the whole answer."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the provider reported an error inside the stream."""
        ...

    @property
    def torn(self) -> bool:
        """Whether the last event is there in part only."""
        ...

    def feed(self, chunk: bytes, /) -> bytes:
        """Take bytes as they came; return the bytes to pass on now. Once `done`, the end waits in `take_end`."""
        ...

    def finish(self) -> None:
        """The stream ended."""
        ...

    def take_break(self) -> bytes:
        """What separates an event of ours from what came of an event that was cut."""
        ...

    def take_end(self) -> bytes:
        """What is left to pass on when the stream has ended: the end mark."""
        ...

    def delivered_texts(self) -> list[str]:
        """The generated texts that passed, for an estimate; blanks for those beyond `DELIVERED_KEPT_MAX`."""
        ...

    def answer(self) -> Answer:
        """What the stream has said so far."""
        ...


class Adapter(Protocol):
    """One way to ask."""

    @property
    def streams_as(self) -> str:
        """Media type of the provider's streams, for instance ``text/event-stream``."""
        ...

    @property
    def translates(self) -> bool:
        """Whether the caller gets other bytes than the provider's."""
        ...

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:
        """The most that the request makes the provider count.

        Raises:
            InvalidRequestError: a field that bounds it is no number.
        """
        ...

    def other_models(self, call: Call) -> str | None:
        """The field by which another model may answer than the one that is asked, ``None`` if there is none."""
        ...

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:
        """The bound with the input counted, where that can be done. Slow."""
        ...

    def build_request(
        self,
        call: Call,
        *,
        surface: Surface,
        deployment: Deployment,
        spec: ProviderSpec,
        model: str,
        output_tokens: int = 0,
    ) -> UpstreamRequest:
        """The request for the provider.

        Args:
            call: the parsed request.
            surface: where it came in.
            deployment: who is asked.
            spec: of the provider.
            model: the name of the model at the provider.
            output_tokens: the bound to set for one answer; 0 to leave it as it is.

        Raises:
            UnsupportedFieldError: the provider cannot be asked for something, and the project drops nothing.
        """
        ...

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """What a whole reply says; ``None`` if it is not of the provider's protocol."""
        ...

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> StreamReader:
        """Reads one stream."""
        ...

    def estimate(self, call: Call, delivered: list[str]) -> Usage:
        """Tokens counted by us, where the provider did not tell."""
        ...

    def reply_texts(self, body: bytes) -> list[str]:
        """The generated texts of a whole reply."""
        ...

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """What a refusal means."""
        ...

    def error_body(self, failure: Failure, body: bytes, *, provider: str) -> bytes:
        """The provider's refusal as the caller gets it: its own bytes, or in the envelope of the caller's dialect."""
        ...
