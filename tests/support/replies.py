"""What the stand-in says: well-formed replies of the OpenAI dialect, and every kind of fault.

Shapes: https://platform.openai.com/docs/api-reference (chat, completions, embeddings, streaming).
"""

import json
import random
from collections.abc import Iterator
from typing import Any

from support.standin import Close, Hang, Hold, Pause, Received, Reply, Reset, Step

SSE = (("content-type", "text/event-stream; charset=utf-8"),)
WORDS = ("The", " gateway", " passes", " every", " byte", " on", ",", " also", " “naïve”", " ones", " 🚏", ".")
MEBIBYTE = b"x" * 1_048_576


def recut(body: bytes, seed: int, *, longest: int = 200) -> list[bytes]:
    """The same bytes in pieces of random length, so that no piece ends where an event or a character ends."""
    rng = random.Random(seed)
    pieces = []
    while body:
        size = rng.randint(1, longest)
        pieces.append(body[:size])
        body = body[size:]
    return pieces


def tokens_of(received: Received) -> tuple[int, int]:
    """Counts that differ from request to request, and that the mark alone decides."""
    rng = random.Random(received.mark or received.serial)
    return rng.randint(1, 5_000), rng.randint(1, 900)


def usage_object(tokens: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def answer(received: Received) -> Reply:
    """A well-formed reply to whatever was asked."""
    path = received.path.partition("?")[0]
    if path.endswith("/embeddings"):
        return embeddings(received)
    if (made := MEDIA.get(path.partition("/v1")[2])) is not None:
        return made(received)
    if path.endswith("/models"):
        return Reply([json.dumps({"object": "list", "data": []}).encode()])
    if received.json.get("stream"):
        return stream(received)
    return plain(received)


def plain(received: Received, *, message: dict[str, Any] | None = None) -> Reply:
    """A reply in one piece, chat or completions."""
    tokens = tokens_of(received)
    chat = "/chat/" in received.path
    finish = "tool_calls" if message and "tool_calls" in message else "stop"
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "logprobs": None}
    if chat:
        choice["message"] = message or {"role": "assistant", "content": "".join(WORDS), "refusal": None}
    else:
        choice["text"] = "".join(WORDS)
    body = _envelope(received, "chat.completion" if chat else "text_completion")
    body |= {"choices": [choice], "usage": usage_object(tokens), "a_field_of_tomorrow": {"kept": [1, 2.50, None]}}
    return Reply([json.dumps(body, ensure_ascii=False).encode()], tokens=tokens)


def frugal(received: Received) -> Reply:
    """As an honest provider counts: never more than there are bytes, nor more than the bound that was asked for.

    The answer has 20 tokens, or as many as ``user`` says in ``…-answers-N``; it takes a moment.
    """
    bound = received.json.get("max_completion_tokens") or received.json.get("max_tokens") or 1_000
    wanted = int(received.mark.rpartition("-answers-")[2] or 20) if "-answers-" in received.mark else 20
    tokens = (len(json.dumps(received.json.get("messages"))) // 4, min(wanted, int(str(bound))))
    body = _envelope(received, "chat.completion")
    body["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]
    body["usage"] = usage_object(tokens)
    return Reply([json.dumps(body).encode()], before=(Pause(0.03),), tokens=tokens)


def tools(received: Received) -> Reply:
    """Call the first tool that is offered, for Paris; once its result is there, answer with it."""
    messages = received.json.get("messages")
    last = messages[-1] if isinstance(messages, list) else {}
    if last.get("role") == "tool":
        return _say(received, f"The tool says: {last['content']}")
    name = received.json["tools"][0]["function"]["name"]  # type: ignore[index]
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}
    if not received.json.get("stream"):
        return plain(received, message={"role": "assistant", "content": None, "tool_calls": [call]})
    first = call | {"index": 0, "function": {"name": name, "arguments": ""}}
    parts = [{"index": 0, "function": {"arguments": part}} for part in ('{"ci', 'ty": "Pa', 'ris"}')]
    deltas = [{"role": "assistant", "content": None, "tool_calls": [first]}]
    return stream(received, deltas=[*deltas, *({"tool_calls": [part]} for part in parts)])


def structured(received: Received) -> Reply:
    """An object that fits the schema of the tests of structured output."""
    return _say(received, '{"city": "Paris", "degrees": 21}')


def _say(received: Received, text: str) -> Reply:
    if received.json.get("stream"):
        halves = (text[: len(text) // 2], text[len(text) // 2 :])
        return stream(received, deltas=[{"role": "assistant", "content": half} for half in halves])
    return plain(received, message={"role": "assistant", "content": text, "refusal": None})


def stream_events(received: Received, *, deltas: list[dict[str, Any]] | None = None) -> list[bytes]:
    """The events of a stream without the usage chunk and without the end mark."""
    chat = "/chat/" in received.path
    envelope = _envelope(received, "chat.completion.chunk" if chat else "text_completion")
    if deltas is None:
        deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in WORDS)]
    events = []
    for delta in deltas:
        choice = {"delta": delta} if chat else {"text": delta.get("content", "")}
        events.append(event(envelope | {"choices": [{"index": 0, **choice, "finish_reason": None}]}))
    last = {"delta": {}} if chat else {"text": ""}
    finish = "tool_calls" if any("tool_calls" in delta for delta in deltas) else "stop"
    events.append(event(envelope | {"choices": [{"index": 0, **last, "finish_reason": finish}]}))
    return events


def usage_event(received: Received, tokens: tuple[int, int]) -> bytes:
    envelope = _envelope(received, "chat.completion.chunk" if "/chat/" in received.path else "text_completion")
    return event(envelope | {"choices": [], "usage": usage_object(tokens)})


def stream(
    received: Received, *, deltas: list[dict[str, Any]] | None = None, pause_s: float = 0.0, cut: bool = True
) -> Reply:
    """A stream, cut at random boundaries; with the usage chunk exactly if it was asked for."""
    tokens = tokens_of(received)
    options = received.json.get("stream_options")
    told = isinstance(options, dict) and options.get("include_usage") is True
    body = stream_events(received, deltas=deltas) + ([usage_event(received, tokens)] if told else []) + [DONE]
    pieces: list[bytes] = recut(b"".join(body), received.serial) if cut else body
    steps = _paced(pieces, pause_s) if pause_s else pieces
    return Reply(steps, headers=SSE, framing="chunked", tokens=tokens if told else None)


def _paced(pieces: list[bytes], pause_s: float) -> Iterator[Step]:
    for piece in pieces:
        yield piece
        yield Pause(pause_s)


def embeddings(received: Received) -> Reply:
    """One small vector for each input, in the encoding that was asked for."""
    inputs = received.json.get("input")
    many = inputs if isinstance(inputs, list) else [inputs]
    base64 = received.json.get("encoding_format") == "base64"
    vector: str | list[float] = "AACAPwAAAEAAAEBA" if base64 else [1.0, 2.0, 3.0]  # three little-endian floats
    tokens = (tokens_of(received)[0], 0)
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(many))],
        "model": received.model,
        "usage": {"prompt_tokens": tokens[0], "total_tokens": tokens[0]},
    }
    return Reply([json.dumps(body).encode()], tokens=tokens)


def moderation(received: Received) -> Reply:
    """Nothing is wrong. OpenAI counts nothing; Mistral counts tokens."""
    tokens = (tokens_of(received)[0], 0)
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01}}
    body = {"id": "modr-1", "model": received.model, "results": [result], "usage": usage_object(tokens)}
    return Reply([json.dumps(body).encode()], tokens=tokens)


def image(received: Received) -> Reply:
    """One small picture, counted in tokens; streamed with a partial one before it."""
    tokens = tokens_of(received)
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    usage |= {"input_tokens_details": {"text_tokens": tokens[0], "image_tokens": 0}}
    if str(received.json.get("stream")).lower() != "true":
        body = {"created": 1_790_000_000, "data": [{"b64_json": "iVBORw0KGgo="}], "usage": usage}
        return Reply([json.dumps(body).encode()], tokens=tokens)
    kind = "image_edit" if received.path.endswith("/edits") else "image_generation"
    partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, "b64_json": "iVBORw0KGgo="}
    whole = {"type": f"{kind}.completed", "b64_json": "iVBORw0KGgo=", "usage": usage}
    body_bytes = b"".join(b"event: %b\n%b" % (str(each["type"]).encode(), event(each)) for each in (partial, whole))
    return Reply(recut(body_bytes, received.serial), headers=SSE, framing="chunked", tokens=tokens)


def speech(received: Received) -> Reply:
    """Bytes that are no JSON and no text, or events."""
    if received.json.get("stream_format") != "sse":
        return Reply([SOUND], headers=(("content-type", "audio/mpeg"),))
    tokens = tokens_of(received)
    usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    events = [
        event({"type": "speech.audio.delta", "audio": "//PExA=="}),
        event({"type": "speech.audio.done", "usage": usage}),
    ]
    return Reply(recut(b"".join(events), received.serial), headers=SSE, framing="chunked", tokens=tokens)


def transcript(received: Received) -> Reply:
    """What was said, counted in tokens; streamed with one delta before it."""
    tokens = tokens_of(received)
    usage = {"type": "tokens", "input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    usage |= {"input_token_details": {"text_tokens": 0, "audio_tokens": tokens[0]}}
    told = {"text": "The gateway passes every byte on.", "usage": usage}
    if received.json.get("response_format") == "srt":
        return Reply([b"1\n00:00:00,000 --> 00:01:02,500\nThe gateway.\n"], headers=(("content-type", "text/plain"),))
    if str(received.json.get("stream")).lower() != "true":
        return Reply([json.dumps(told).encode()], tokens=tokens)
    events = [event({"type": "transcript.text.delta", "delta": "The gateway"})]
    events.append(event(told | {"type": "transcript.text.done"}))
    return Reply(recut(b"".join(events), received.serial), headers=SSE, framing="chunked", tokens=tokens)


SOUND = b"ID3\x04\x00\x00\xff\xfb\x90\x64" + bytes(range(256))
"""The beginning of an MP3 file: not UTF-8."""
MEDIA = {
    "/moderations": moderation,
    "/images/generations": image,
    "/images/edits": image,
    "/images/variations": image,
    "/audio/speech": speech,
    "/audio/transcriptions": transcript,
    "/audio/translations": transcript,
}
"""Path → reply of what is not a text for a text."""


def _envelope(received: Received, kind: str) -> dict[str, Any]:
    return {"id": f"stub-{received.serial}", "object": kind, "created": 1_790_000_000, "model": received.model}


def error(status: int, code: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """An error in OpenAI's envelope."""
    body = {"error": {"message": f"The stand-in says {code}.", "type": "stub_error", "param": None, "code": code}}
    return Reply([json.dumps(body).encode()], status=status, headers=(("content-type", "application/json"), *headers))


def no_usage(received: Received) -> Reply:
    """Well-formed, without any counts, plain or streamed."""
    if received.json.get("stream"):
        return Reply([*stream_events(received), DONE], headers=SSE, framing="chunked")
    body = _envelope(received, "chat.completion")
    body["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]
    return Reply([json.dumps(body).encode()])


def cut_stream(received: Received, *, end: Step | None = None) -> Reply:
    """Half of a stream, then the connection ends."""
    events = stream_events(received)
    return Reply([*events[: len(events) // 2], end or Close()], headers=SSE, framing="chunked")


def error_in_stream(received: Received) -> Reply:
    """Half of a stream, then an error as an event of its own, as OpenAI and vLLM send it."""
    events = stream_events(received)
    failure = event({"error": {"message": "The stand-in broke.", "type": "server_error", "param": None, "code": None}})
    return Reply([*events[: len(events) // 2], failure], headers=SSE, framing="chunked")


def commented_stream(received: Received) -> Reply:
    """A stream with comments, CRLF, an `event:` field and an event whose data has two lines."""
    events = stream_events(received)
    odd = [b": keep-alive\r\n\r\n", b"event: ping\ndata: {\ndata: }\n\n", b":\n\n"]
    return Reply(recut(b"".join([*odd, *events, DONE]), received.serial), headers=SSE, framing="chunked")


def held_stream(received: Received) -> Reply:
    """The first half of a stream at once, the second when the test says so."""
    events = stream_events(received)
    half = len(events) // 2
    tokens = tokens_of(received)
    rest = [*events[half:], usage_event(received, tokens), DONE]
    return Reply([*events[:half], Hold(), *rest], headers=SSE, framing="chunked", tokens=tokens)


def gigabyte(_received: Received) -> Reply:
    """A reply that no limit allows."""
    return Reply((MEBIBYTE for _ in range(1_024)), framing="chunked")


FAULTS: dict[str, Reply] = {
    "malformed-json": Reply([b'{"id": "x", "choices": [']),
    "not-json": Reply([b"<html>Bad gateway</html>"], headers=(("content-type", "text/html"),)),
    "empty": Reply([]),
    "json-array": Reply([b"[1, 2]"]),
    "invalid-utf8": Reply([b'{"id": "\xff\xfe"']),
    "short-body": Reply([b'{"id": "x"'], length=1_000),
    "close-before-head": Reply(before=(Close(),)),
    "reset-before-head": Reply(before=(Reset(),)),
    "reset-in-body": Reply([b'{"id":', Reset()], length=1_000),
    "garbage-head": Reply(before=(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Close())),
    "hang-before-head": Reply(before=(Hang(),)),
    "hang-after-head": Reply([Hang()], length=100),
}
"""Replies that are no protocol, by the name of the model that gets them."""


def scripts() -> dict[str, Any]:
    """Every named script: model → reply or function."""
    return FAULTS | {
        "no-usage": no_usage,
        "cut": cut_stream,
        "reset-stream": lambda received: cut_stream(received, end=Reset()),
        "hang-stream": lambda received: cut_stream(received, end=Hang()),
        "error-in-stream": error_in_stream,
        "commented": commented_stream,
        "frugal": frugal,
        "gpt-4o-frugal": frugal,
        "tools": tools,
        "structured": structured,
        "held": held_stream,
        "slow": lambda received: stream(received, pause_s=0.002),
        "gigabyte": gigabyte,
        "rate-limited": error(429, "rate_limit_exceeded", headers=(("retry-after", "7"),)),
        "bad-request": error(400, "context_length_exceeded"),
        "forbidden": error(403, "unsupported_country_region_territory"),
        "unprocessable": error(422, "unprocessable"),
        "overloaded": error(529, "overloaded_error"),
        "broken": error(500, "internal_error"),
        "unavailable": error(503, "unavailable"),
        "missing": error(404, "model_not_found"),
        "wrong-key": error(401, "invalid_api_key"),
    }
