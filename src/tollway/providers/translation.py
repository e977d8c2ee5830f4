"""Between a caller who speaks one dialect and a provider that speaks another: both meet in `tollway.chat`."""

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

from msgspec.structs import replace

from tollway.chat.dialect import ChatDialect, StreamRenderer
from tollway.chat.events import Begun, Broke, Counted, Delta, Event, PartBegun, TranscriptDelta
from tollway.chat.losses import Losses
from tollway.chat.message import AudioPart, ToolCallPart
from tollway.chat.reply import ChatReply
from tollway.chat.request import ChatRequest
from tollway.errors import UpstreamError
from tollway.ledger.usage import Usage
from tollway.providers.adapter import DELIVERED_KEPT_MAX, Answer, UpstreamRequest, priced_tier
from tollway.providers.chat_bound import chat_bound
from tollway.providers.chat_texts import chat_texts, part_texts
from tollway.providers.field_names import message_path
from tollway.providers.openai_compatible.bound import RequestBound, other_models
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_usage
from tollway.providers.wire import Wire, WireStream
from tollway.providers.wire_names import ANTHROPIC
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure


class Translation:
    """Asks one provider for one request. Satisfies `tollway.providers.adapter.Adapter`."""

    translates = True

    def __init__(self, dialect: ChatDialect, wire: Wire, call: Call, *, losses: Losses) -> None:
        """Read the request.

        Raises:
            InvalidRequestError, UnsupportedFieldError: see `ChatDialect.to_chat`.
        """
        self._dialect = dialect
        self._wire = wire
        self._call = call
        self._losses = losses
        self._model = ""
        self._reply: tuple[bytes, ChatReply | None] | None = None
        self.chat = dialect.to_chat(call, losses)
        self.streams_as = wire.streams_as

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:
        """See `Adapter.bound`."""
        return chat_bound(
            self.chat,
            body_bytes=len(call.body),
            model=model,
            context_tokens=context_tokens,
            searches=spec.usage.searches,
        )

    def other_models(self, call: Call) -> str | None:  # noqa: ARG002 -- it was read already
        """See `Adapter.other_models`: only what passes unread could name one."""
        return other_models(self.chat.extras) if self.chat.extras else None

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:  # noqa: ARG002
        """No provider whose tokenizer is public needs a translation that is worth it."""
        return None

    def build_request(
        self,
        call: Call,  # noqa: ARG002 -- it was read already
        *,
        surface: Surface,  # noqa: ARG002 -- the wire format knows where the provider has what is asked
        deployment: Deployment,
        spec: ProviderSpec,
        model: str,
        output_tokens: int = 0,
    ) -> UpstreamRequest:
        """See `Adapter.build_request`."""
        chat = replace(self.chat, max_output_tokens=output_tokens) if output_tokens else self.chat
        self._model = model
        if self._wire.name != ANTHROPIC:
            _lose_callers(chat, self._losses)
        request = self._wire.build_request(chat, deployment=deployment, spec=spec, model=model, losses=self._losses)
        dropped = self._losses.dropped
        return replace(request, dropped=tuple(dropped)) if dropped else request

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:
        """See `Adapter.parse_reply`."""
        found = self._wire.parse_reply(body, spec=spec)
        self._reply = (body, found)
        if found is None:
            return None
        if not found.model:
            found = replace(found, model=self._model)
        return Answer(
            found.model,
            found.usage,
            found.provider_cost,
            priced_tier(found.service_tier),
            self._dialect.render_reply(found, self._call),
        )

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> "TranslatedStream":
        """See `Adapter.stream_reader`."""
        return TranslatedStream(self._wire.stream_parser(spec=spec), self._dialect.renderer(call), self._model)

    def estimate(self, call: Call, delivered: list[str]) -> Usage:  # noqa: ARG002 -- it was read already
        """See `Adapter.estimate`."""
        return estimate_usage(chat_texts(self.chat), delivered)

    def reply_texts(self, body: bytes) -> list[str]:
        """See `Adapter.reply_texts`; for the reply that was parsed last."""
        if self._reply is None or self._reply[0] is not body or self._reply[1] is None:
            return []
        return [text for choice in self._reply[1].choices for part in choice.parts for text in part_texts(part)]

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:
        """See `Adapter.classify_failure`."""
        return self._wire.classify_failure(status, headers, body)

    def error_body(self, failure: Failure, body: bytes, *, provider: str) -> bytes:  # noqa: ARG002
        """The provider's words in the envelope of the caller's dialect."""
        error = UpstreamError(
            f"Provider {provider!r} answered {failure.status}: {failure.message or failure.kind.value}"
        )
        error.refused_with = failure.status
        return self._dialect.error_body(error)


def _lose_callers(chat: ChatRequest, losses: Losses) -> None:
    """Report the programs of Anthropic's that called tools, which no other provider runs."""
    for index, message in enumerate(chat.messages):
        for at, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart) and part.caller is not None:
                losses.lose(f"{message_path(chat, index)}.content.{at}.caller")


class TranslatedStream:
    """One stream, event by event. Satisfies `tollway.providers.adapter.StreamReader`."""

    __slots__ = (
        "_answer",
        "_ended",
        "_kept",
        "_length",
        "_model",
        "_parser",
        "_renderer",
        "_rest",
        "_sounds",
        "counted",
        "failed",
    )

    def __init__(self, parser: WireStream, renderer: StreamRenderer, model: str) -> None:
        self._parser = parser
        self._renderer = renderer
        self._model = model
        self._answer = Answer()
        self._kept = StringIO()
        self._length = 0
        self._sounds: set[tuple[int, int]] = set()
        self._rest = b""
        self._ended = False
        self.counted = False
        self.failed = False

    @property
    def done(self) -> bool:
        """Whether the provider said that the stream is whole."""
        return self._parser.done

    @property
    def torn(self) -> bool:
        """Whether it is there in part only: what is rendered has an end only if the provider's has one."""
        return not self.failed and (self._parser.torn or (self._ended and not self._parser.done))

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes as they came; return what the caller gets for them."""
        return self._take(self._parser.feed(chunk))

    def finish(self) -> None:
        """The stream ended."""
        self._rest = self._take(self._parser.finish())
        self._ended = True

    def take_break(self) -> bytes:
        """Nothing: the caller only ever has whole events."""
        return b""

    def take_end(self) -> bytes:
        """The end, in the caller's dialect."""
        return self._rest if self.failed else self._rest + self._renderer.end()

    def delivered_texts(self) -> list[str]:
        """What the caller has; of what is more than is kept, its length."""
        kept = self._kept.getvalue()
        return [kept] if len(kept) == self._length else [kept, " " * (self._length - len(kept))]

    def answer(self) -> Answer:
        """What the stream has said so far."""
        return self._answer

    def _take(self, events: Sequence[Event]) -> bytes:
        if not events or self.failed:
            return b""
        for index, event in enumerate(events):
            kind = type(event)
            if kind is Delta:
                self._keep(event)  # type: ignore[arg-type]  # as the line above says
            elif kind is Broke:
                self.failed = True
                return self._renderer.feed(events[: index + 1])
            elif kind in _READ:
                _READ[kind](self, event)
        return self._renderer.feed(events)

    def _keep(self, delta: Delta) -> None:
        """Keep the text for an estimate; a sound in base64 is none."""
        if not self._sounds or (delta.choice, delta.index) not in self._sounds:
            self._note(delta.text)

    def _note(self, text: str) -> None:
        if self._length < DELIVERED_KEPT_MAX:
            self._kept.write(text[: DELIVERED_KEPT_MAX - self._length])
        self._length += len(text)

    def _begin_part(self, begun: PartBegun) -> None:
        for text in part_texts(begun.part):
            self._note(text)
        if isinstance(begun.part, AudioPart):
            self._sounds.add((begun.choice, begun.index))

    def _transcribe(self, delta: TranscriptDelta) -> None:
        self._note(delta.text)

    def _begin(self, begun: Begun) -> None:
        if begun.model:
            self._answer = replace(self._answer, model=begun.model)

    def _count(self, counted: Counted) -> None:
        self.counted = counted.whole
        self._answer = Answer(
            self._answer.model or self._model, counted.usage, counted.provider_cost, priced_tier(counted.service_tier)
        )


_READ: dict[type, Callable[[TranslatedStream, Any], None]] = {
    Begun: TranslatedStream._begin,  # noqa: SLF001 -- its own
    PartBegun: TranslatedStream._begin_part,  # noqa: SLF001
    TranscriptDelta: TranslatedStream._transcribe,  # noqa: SLF001
    Counted: TranslatedStream._count,  # noqa: SLF001
}
"""Event → what is noted of it."""
