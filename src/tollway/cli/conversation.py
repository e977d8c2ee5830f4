"""A conversation with one model through the gateway: what was said, and what each turn cost."""

import json
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tollway.cli.client import ApiClient, refusal

CHAT_PATH = "/v1/chat/completions"
_COST_COMMENT = ": x-tollway-cost "
"""The gateway sends this comment before the end of a stream, when the headers are long gone."""


@dataclass
class Turn:
    """One answer, as it comes.

    Attributes:
        text: what was answered so far.
        usage: the provider's token counts; empty until they came.
        cost_usd: decimal text; ``None`` until the gateway told it.
        request_id: names the ledger entry.
        duration_s: from asking to the last byte.
        finish_reason: why the model stopped; ``None`` if it did not say.
    """

    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    cost_usd: str | None = None
    request_id: str = ""
    duration_s: float = 0.0
    finish_reason: str | None = None


class Conversation:
    """What was said so far, with one model at a time."""

    def __init__(self, api: ApiClient, model: str, *, system: str | None, options: dict[str, Any]) -> None:
        self.model = model
        self._api = api
        self._system = system
        self._options = options
        self._messages: list[dict[str, str]] = []
        self.reset()

    def reset(self) -> None:
        """Forget all but the system message."""
        self._messages = [{"role": "system", "content": self._system}] if self._system else []

    def ask(self, message: str, turn: Turn) -> Generator[str, None, None]:
        """Send a message; gives the pieces of the answer as they come, and fills `turn`.

        A turn that fails is forgotten; one that is stopped is kept as far as it came.

        Raises:
            CommandError: the gateway refuses, or the stream breaks off.
        """
        question = {"role": "user", "content": message}
        body = {
            "model": self.model,
            "messages": [*self._messages, question],
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._options,
        }
        started_at = time.monotonic()
        try:
            with self._api.stream("POST", CHAT_PATH, body=body) as answer:
                turn.request_id = answer.headers.get("x-request-id", "")
                for event in events(answer.lines(), turn):
                    if isinstance(event.get("error"), dict):
                        raise refusal(0, json.dumps(event).encode(), self._api.url)
                    yield _piece(event, turn)
        finally:
            turn.duration_s = time.monotonic() - started_at
            if turn.text:
                self._messages += [question, {"role": "assistant", "content": turn.text}]


def _piece(event: dict[str, Any], turn: Turn) -> str:
    turn.usage = event.get("usage") or turn.usage
    piece = ""
    for choice in event.get("choices") or ():
        piece += (choice.get("delta") or {}).get("content") or ""
        turn.finish_reason = choice.get("finish_reason") or turn.finish_reason
    turn.text += piece
    return piece


def events(lines: Iterable[bytes], turn: Turn) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events; the cost in its comment goes to `turn`.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    data: list[str] = []
    for raw in lines:
        line = raw.decode(errors="replace")
        if line.startswith(_COST_COMMENT):
            turn.cost_usd = line.removeprefix(_COST_COMMENT).strip()
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            text, data = "\n".join(data), []
            if text == "[DONE]":
                continue
            event = json.loads(text)
            if isinstance(event, dict):
                yield event
