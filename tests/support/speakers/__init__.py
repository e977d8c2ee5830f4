"""The stand-in as any provider: for each wire format the bytes of an answer, whole or as a stream, written by hand.

Every format tells the same answers in its own words, so that one test can expect the same of all of them. The model
that is asked names the scenario.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from support.replies import recut
from support.speakers import anthropic, bedrock, cohere, gemini, openai
from support.speakers.said import SAID
from support.standin import Close, Received, Reply, StandIn

_MODEL_IN_PATH = re.compile(r"/models?/([^/:?]+)")


@dataclass(frozen=True)
class Speaker:
    """One wire format.

    Attributes:
        spec: the row of the registry that speaks it.
        plain: scenario → a whole reply.
        stream: scenario → a stream.
        streams: whether a request asks for a stream.
        stream_type: media type of streams.
        error: (status, words) → the body of a refusal.
        credential, options: what a provider of this row is registered with.
        prefix: of the models it is asked for, by which a model's family is known.
        tells_thinking: whether thoughts are told; `tells_reasoning_tokens`: whether they are counted apart.
        cached: whether it tells of cached tokens.
    """

    spec: str
    plain: Callable[[str], bytes]
    stream: Callable[[str], bytes]
    error: Callable[[int, str], bytes]
    streams: Callable[[Received], bool]
    stream_type: str = "text/event-stream"
    credential: str = "sk-conformance-credential"
    options: Mapping[str, str] | None = None
    prefix: str = ""
    tells_thinking: bool = True
    tells_reasoning_tokens: bool = True
    cached: bool = True


SPEAKERS: dict[str, Speaker] = {
    "openai": Speaker(
        "openai_compatible", openai.plain, openai.stream, openai.error, lambda r: r.json.get("stream") is True
    ),
    "anthropic": Speaker(
        "anthropic",
        anthropic.plain,
        anthropic.stream,
        anthropic.error,
        lambda r: r.json.get("stream") is True,
        tells_reasoning_tokens=False,
    ),
    "gemini": Speaker("gemini", gemini.plain, gemini.stream, gemini.error, lambda r: "streamGenerate" in r.path),
    "bedrock": Speaker(
        "bedrock",
        bedrock.plain,
        bedrock.stream,
        bedrock.error,
        lambda r: "converse-stream" in r.path,
        stream_type="application/vnd.amazon.eventstream",
        options={"region": "eu-central-1"},
        prefix="anthropic.claude-sonnet-5.",
        tells_reasoning_tokens=False,
    ),
    "cohere": Speaker(
        "cohere",
        cohere.plain,
        cohere.stream,
        cohere.error,
        lambda r: r.json.get("stream") is True,
        tells_reasoning_tokens=False,
        cached=False,
    ),
}
"""Wire format → who speaks it."""


def model_of(received: Received) -> str:
    """The model that is asked: in the body, or in the path."""
    found = _MODEL_IN_PATH.search(received.path)
    return received.model or (found[1] if found else "")


def script(speaker: Speaker) -> Callable[[Received], Reply]:
    """Answers as the provider would, by the scenario that the model names."""

    def answer(received: Received) -> Reply:
        scenario = model_of(received).removeprefix(speaker.prefix)
        if scenario.startswith("error-"):
            status = int(scenario.removeprefix("error-"))
            return Reply([speaker.error(status, "words-of-the-provider")], status=status)
        streams = speaker.streams(received)
        name = scenario if scenario in SAID else "text"
        if not streams:
            return Reply([speaker.plain(name)])
        body = speaker.stream(name)
        headers = (("content-type", speaker.stream_type),)
        if scenario == "cut":
            return Reply([body[: len(body) // 2], Close()], headers=headers, framing="chunked")
        return Reply(recut(body, received.serial), headers=headers, framing="chunked")

    return answer


@contextmanager
def all_speaking() -> Iterator[dict[str, StandIn]]:
    """A stand-in for each wire format."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(StandIn(script(speaker))) for name, speaker in SPEAKERS.items()}
