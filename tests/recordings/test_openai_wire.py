"""Recorded exchanges with providers of the OpenAI format go through the wire format's pure parts and are understood.

What was said is read from the recorded JSON by hand; the count is held against the adapter that passes bytes through,
whose counts and charges `test_replay` holds against the price library.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from support.chats import normal, sent_again
from support.recordings import PATH, SPECS, Recording, available, recordings, replies
from support.replies import recut
from tollway.api.dialects.openai import OpenAIDialect, parse
from tollway.chat.collect import collect
from tollway.chat.events import Broke, Counted, Event
from tollway.chat.losses import Losses
from tollway.chat.message import RefusalPart, TextPart, ThinkingPart, ToolCallPart
from tollway.chat.reply import ChatReply, Choice
from tollway.providers.openai_compatible.adapter import OpenAIAdapter
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.registry import REGISTRY, ProviderSpec

pytestmark = pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")

NOT_UNDERSTOOD = {
    "openinference-instrumentation-beeai": "the body was not recorded",
}
"""Part of a row's name → why nothing can be made of it. May only shrink."""
LOST = {
    "prefix": "Mistral's prefilled answers have no form elsewhere",
    "eager_input_streaming": "an extension of Anthropic's, through OpenRouter",
    "clear_thinking": "an extension of Z.ai's",
    "video_url": "no other provider's format has videos by address",
}
"""What recorded requests hold that is reported as a loss, by the end of its path (or the kind of its part)."""
CHATS = [row for row in recordings() if row.surface == "chat"] if available() else []
ANSWERED = [row for row in CHATS if row.status == 200 and not any(name in row.name for name in NOT_UNDERSTOOD)]
PROVIDERS = sorted({row.provider for row in CHATS})


def spec_of(row: Recording) -> ProviderSpec:
    return REGISTRY[SPECS[row.provider]]


def of(provider: str, *, streamed: bool) -> list[Recording]:
    return [row for row in ANSWERED if row.provider == provider and row.stream == streamed]


def read_stream(row: Recording, chunks: Iterable[Any]) -> tuple[list[Event], bool]:
    parser = OPENAI_WIRE.stream_parser(spec=spec_of(row))
    events = [event for chunk in chunks if isinstance(chunk, bytes) for event in parser.feed(chunk)]
    events += parser.finish()
    assert not parser.torn, row.name
    return events, parser.done


def said(choice: Choice) -> tuple[str, str, str, list[tuple[str, str]]]:
    """Text, thoughts, refusal and calls of an answer."""
    text = "".join(part.text for part in choice.parts if isinstance(part, TextPart))
    thoughts = "".join(part.text for part in choice.parts if isinstance(part, ThinkingPart))
    refusal = "".join(part.text for part in choice.parts if isinstance(part, RefusalPart))
    calls = [(part.name, part.arguments) for part in choice.parts if isinstance(part, ToolCallPart)]
    return text, thoughts, refusal, calls


def by_hand(row: Recording) -> dict[int, tuple[str, str, str, list[tuple[str, str]]]]:
    """The same from the recorded JSON."""
    texts: dict[tuple[int, str], str] = defaultdict(str)
    calls: dict[int, dict[int, list[str]]] = defaultdict(dict)
    for reply in replies(row):
        for choice in reply.get("choices") or ():
            number, message = choice.get("index", 0), choice.get("message") or choice.get("delta") or {}
            content = message.get("content") or ""
            for part in content if isinstance(content, list) else [{"text": content}]:
                thinking = part.get("thinking")
                texts[number, "thoughts"] += "".join(each["text"] for each in thinking or ())
                texts[number, "text"] += part.get("text") or ""
            details = message.get("reasoning_details") or ()
            told = "".join(each.get("text") or each.get("summary") or "" for each in details)
            texts[number, "thoughts"] += told or message.get("reasoning_content") or message.get("reasoning") or ""
            texts[number, "refusal"] += message.get("refusal") or ""
            legacy = [{"function": message["function_call"]}] if message.get("function_call") else []
            for place, call in enumerate(message.get("tool_calls") or legacy):
                known = calls[number].setdefault(call.get("index", place), ["", ""])
                known[0] = known[0] or call["function"].get("name") or ""
                known[1] += call["function"].get("arguments") or ""
            calls[number]
    return {
        number: (
            texts[number, "text"],
            texts[number, "thoughts"],
            texts[number, "refusal"],
            [(name, arguments) for name, arguments in found.values()],
        )
        for number, found in calls.items()
    }


def check_said(row: Recording, reply: ChatReply) -> None:
    hand = by_hand(row)
    assert [said(choice) for choice in reply.choices] == [hand[number] for number in sorted(hand)], row.name


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_reply_says_what_was_recorded_and_counts_as_its_bytes_do(provider: str) -> None:
    for row in of(provider, streamed=False):
        reply = OPENAI_WIRE.parse_reply(row.body, spec=spec_of(row))
        assert reply is not None, row.name
        check_said(row, reply)
        passed = OpenAIAdapter().parse_reply(row.body, spec=spec_of(row))
        assert passed is not None
        assert (reply.usage, reply.provider_cost) == (passed.usage, passed.provider_cost), row.name
        assert reply.model == passed.model


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_says_what_was_recorded_wherever_it_is_cut(provider: str) -> None:
    for row in of(provider, streamed=True):
        whole, done = read_stream(row, [row.body])
        if any(isinstance(event, Broke) for event in whole):
            assert b'"error"' in row.body
            continue
        assert done, row.name
        reply = collect(whole)
        check_said(row, reply)
        for seed in range(3):
            assert collect(read_stream(row, recut(row.body, seed))[0]) == reply, row.name
        reader = OpenAIAdapter().stream_reader(parse(b'{"model":"m"}', surface="chat", required=()), spec=spec_of(row))
        reader.feed(row.body)
        assert reply.usage == reader.answer().usage, row.name
        counted = [event for event in whole if isinstance(event, Counted)]
        assert not counted or counted[-1].whole, row.name


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refusal_has_a_class_and_the_providers_words(provider: str) -> None:
    for row in CHATS:
        if row.provider == provider and row.status != 200:
            failure = OPENAI_WIRE.classify_failure(row.status, (), row.body)
            assert failure.status == row.status
            assert failure.message, row.name


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_recorded_request_is_understood_and_what_it_loses_is_listed(provider: str) -> None:
    for row in CHATS:
        if row.provider != provider:
            continue
        call = parse(json.dumps(row.request).encode(), surface="chat", required=())
        losses = Losses(drop=True, target="it")
        chat = OpenAIDialect().to_chat(call, losses)
        for path in losses.dropped:
            lost: Any = row.request
            for step in path.split("."):
                lost = lost[int(step)] if isinstance(lost, list) else lost[step]
            kind = lost["type"] if isinstance(lost, dict) and "type" in lost else path.rpartition(".")[2]
            assert kind in LOST, f"{row.name} loses {path}"
        assert normal(sent_again(chat)) == normal(chat), row.name
