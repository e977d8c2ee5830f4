"""A stream of the Messages API that passes untouched: read for its usage and its end, which is held back."""

from tollway.json_object import MALFORMED
from tollway.providers.adapter import Answer, priced_tier
from tollway.providers.anthropic.reply import parse_head
from tollway.providers.anthropic.stream import StreamEvent, read_event
from tollway.providers.openai_compatible.stream import StreamParser, event_data, split_events
from tollway.providers.usage.anthropic import WireUsage, merge, read_usage, tier_of, usage_of

_TELLING = (b"message_", b'"error"')
"""In every event that tells more than the answer itself."""


class AnthropicStreamReader(StreamParser):
    """Reads one stream. Satisfies `tollway.providers.adapter.StreamReader`.

    The framing, and what is kept for an estimate, are as in the stream of any other server-sent events.
    """

    __slots__ = ("_finished", "_told")

    def __init__(self) -> None:
        super().__init__(remove_usage=False)
        self._told: WireUsage | None = None
        self._finished = False

    @property
    def torn(self) -> bool:
        """Whether it is there in part only: every whole one has its end mark, or an error."""
        return super().torn or (self._finished and not self.done and not self.failed)

    def finish(self) -> None:
        """The stream ended. Its last event counts also where its empty line was left out."""
        self._finished = True
        event = _event(event_data(self._tail))
        if event is not None:
            self._take(event)

    def delivered_texts(self) -> list[str]:
        """The generated texts that passed, for an estimate."""
        texts: list[str] = []
        for block in self._kept:
            for each in split_events(block):
                event = _event(event_data(each))
                delta = event.delta if event is not None else None
                text = (delta.text or delta.thinking or delta.partial_json) if delta is not None else None
                if text:
                    texts.append(text)
        return texts

    def answer(self) -> Answer:
        """What the stream has said so far."""
        return answer_of(self.model, self._told)

    def _is_plain(self, block: bytes) -> bool:
        return not any(mark in block for mark in _TELLING)

    def _is_whole(self, data: bytes) -> bool:
        return _event(data) is not None

    def _read_event(self, event: bytes) -> bool:
        read = _event(event_data(event))
        if read is None:
            return True
        self._take(read)
        return not self.done

    def _take(self, event: StreamEvent) -> None:
        if event.type == "message_start":
            head = parse_head(event.message)
            if head is not None:
                self.model = head.model or self.model
                self._told = read_usage(head.usage)
        elif event.type == "message_delta":
            self._told = merge(self._told, read_usage(event.usage))
            self.counted = event.delta is not None and event.delta.stop_reason is not None
        elif event.type == "message_stop":
            self.done = True
        elif event.type == "error":
            self.failed = True


def answer_of(model: str, told: WireUsage | None) -> Answer:
    """What metering needs of a message."""
    return Answer(model, usage_of(told), service_tier=priced_tier(tier_of(told)))


def _event(data: bytes) -> StreamEvent | None:
    try:
        return read_event(data) if data else None
    except MALFORMED:
        return None
