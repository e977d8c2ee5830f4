"""Counts the tokens of a request, where the provider of its model does not: with our own tokenizer, as an estimate.

The request is in the ledger like any other, at a charge of zero. What a chat template adds is not counted, nor are
files; an image counts what Anthropic counts for a large one.
"""

from collections.abc import Sequence

import msgspec

from tollway.chat.dialect import ChatDialect
from tollway.chat.losses import Losses
from tollway.chat.message import ImagePart, Part, ToolResultPart
from tollway.chat.request import ChatRequest
from tollway.errors import UpstreamError
from tollway.ledger.usage import Usage
from tollway.providers.adapter import Answer, StreamReader, UpstreamRequest
from tollway.providers.chat_texts import chat_texts
from tollway.providers.failure import failure_by_status
from tollway.providers.free import NO_USAGE, NOTHING
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.estimate import estimate_all
from tollway.routing.call import Call, Surface
from tollway.routing.catalog import Deployment
from tollway.routing.failure import Failure

IMAGE_TOKENS = 1_600
"""https://platform.claude.com/docs/en/build-with-claude/vision#evaluate-image-size"""

_encode = msgspec.json.Encoder().encode


class TokenCount:
    """Answers one request. Satisfies `tollway.providers.adapter.Adapter`."""

    streams_as = ""
    translates = True

    def __init__(self, dialect: ChatDialect, call: Call) -> None:
        """Read the request.

        Raises:
            InvalidRequestError: it cannot be read.
        """
        self._dialect = dialect
        self._chat = dialect.to_chat(call, Losses(drop=True, target="a count"))

    def bound(self, call: Call, *, spec: ProviderSpec, model: str, context_tokens: int) -> RequestBound:  # noqa: ARG002
        """Nothing: it costs nothing."""
        return NOTHING

    def other_models(self, call: Call) -> str | None:  # noqa: ARG002 -- no model is asked
        """None: no model is asked."""
        return None

    def count(self, call: Call, bound: RequestBound, *, model: str) -> RequestBound | None:  # noqa: ARG002
        """Nothing: it costs nothing."""
        return None

    def build_request(
        self,
        call: Call,  # noqa: ARG002 -- it was read already
        *,
        surface: Surface,  # noqa: ARG002 -- nobody is asked
        deployment: Deployment,  # noqa: ARG002
        spec: ProviderSpec,  # noqa: ARG002
        model: str,  # noqa: ARG002
        output_tokens: int = 0,  # noqa: ARG002
    ) -> UpstreamRequest:
        """No request: the reply is made here."""
        return UpstreamRequest("", {}, b"", made=self._reply)

    def parse_reply(self, body: bytes, *, spec: ProviderSpec) -> Answer | None:  # noqa: ARG002 -- it is our own
        """What was counted is no usage."""
        return Answer(usage=NO_USAGE, body=body)

    def stream_reader(self, call: Call, *, spec: ProviderSpec) -> StreamReader:  # noqa: ARG002 -- it does not stream
        """A count does not stream.

        Raises:
            UpstreamError: always.
        """
        raise UpstreamError("A count of tokens is no stream.")

    def estimate(self, call: Call, delivered: list[str]) -> Usage:  # noqa: ARG002 -- no model is asked
        """Nothing: no model is asked."""
        return NO_USAGE

    def reply_texts(self, body: bytes) -> list[str]:  # noqa: ARG002 -- no model is asked
        """None: no model is asked."""
        return []

    def classify_failure(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Failure:  # noqa: ARG002
        """Nobody refuses."""
        return failure_by_status(status, headers)

    def error_body(self, failure: Failure, body: bytes, *, provider: str) -> bytes:  # noqa: ARG002 -- nobody refuses
        """Nobody refuses."""
        return self._dialect.error_body(UpstreamError(failure.message))

    def _reply(self) -> bytes:
        return _encode({"input_tokens": counted(self._chat)})


def counted(chat: ChatRequest) -> int:
    """Input tokens of a request, estimated."""
    parts = [part for message in chat.messages for part in message.parts]
    return estimate_all(chat_texts(chat)) + IMAGE_TOKENS * sum(map(_images, parts))


def _images(part: Part) -> int:
    if isinstance(part, ToolResultPart):
        return sum(map(_images, part.parts))
    return isinstance(part, ImagePart)
