"""The conformance suite over Google's own recorded replies, and their usage and price against the price library's."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from genai_prices import calc_price, extract_usage

from support.prices import price_base
from support.recordings import PATH, available, name_of, reply_of, rows_of
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.ledger.price_book import PriceBook
from tollway.ledger.rating import rate
from tollway.providers.gemini.wire import GeminiWire
from tollway.providers.registry import REGISTRY

LEFT_OUT = {
    "countTokens": "a count of tokens, which no surface asks Google for",
    "interactions": "the Interactions API: another format, which is not spoken",
    "ws:/realtime": "the Live API over a WebSocket, which is not spoken",
}
"""Parts of the paths of exchanges that are no generateContent, and why they are left out."""
UNCOUNTED = 3
"""Recorded replies without usage metadata."""
OPAQUE = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
PICO_PER_USD = 10**12
WIRE = GeminiWire()
SPEC = REGISTRY["gemini"]


def left_out(row: dict[str, Any]) -> bool:
    return any(part in row["endpoint"] for part in LEFT_OUT)


def exchanges() -> list[dict[str, Any]]:
    return [row for row in rows_of("google-gemini", "google-vertex") if not left_out(row)] if available() else []


def recorded(provider: str) -> tuple[Recording, ...]:
    return tuple(
        Recording(
            name=name_of(row),
            body=row["response_body"].encode(),
            status=row["status"],
            streamed=row["streaming"],
            counted="usageMetadata" in row["response_body"],
        )
        for row in exchanges()
        if row["provider"] == provider
    )


class TestGeminiApi(ProviderConformance):
    spec = SPEC
    wire = WIRE
    recordings = recorded("google-gemini")
    model = "gemini-2.5-flash"


class TestVertex(ProviderConformance):
    spec = REGISTRY["vertex"]
    wire = GeminiWire(on_vertex=True)
    recordings = recorded("google-vertex")
    model = "gemini-3-flash-preview"
    options: ClassVar = {"project": "p-1", "region": "europe-west4"}


def objects(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The reply, or the events of the stream."""
    if not row["streaming"]:
        return [json.loads(row["response_body"])]
    lines = row["response_body"].splitlines()
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def readable(reply: dict[str, Any]) -> dict[str, Any]:
    """With names for numbers of modalities, which the price library does not know."""
    return dict(json.loads(json.dumps(reply).replace('"modality": 1', '"modality": "TEXT"')))


def texts(row: dict[str, Any], *, thought: bool) -> str:
    """The words of a reply, read without our code."""
    parts = [
        part
        for each in objects(row)
        for candidate in each.get("candidates", ())
        for part in (candidate.get("content") or {}).get("parts", ())
    ]
    return "".join(part.get("text", "") for part in parts if bool(part.get("thought")) == thought)


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_answer_has_its_words_calls_and_signatures() -> None:
    tally: Counter[str] = Counter()
    for row in exchanges():
        if row["status"] != 200:
            tally["errors"] += 1
            continue
        reply = reply_of(WIRE, SPEC, row)
        parts = [part for choice in reply.choices for part in choice.parts]
        kinds = Counter(type(part).__name__ for part in parts)
        assert "".join(part.text for part in parts if type(part).__name__ == "TextPart") == texts(row, thought=False)
        thoughts = "".join(part.text for part in parts if type(part).__name__ == "ThinkingPart")
        assert thoughts == texts(row, thought=True), name_of(row)
        body = json.dumps(objects(row))
        assert kinds["ToolCallPart"] == body.count('"functionCall"'), name_of(row)
        opaque = sum(getattr(part, "raw", b"") != b"" for part in parts)
        assert opaque == sum(body.count(f'"{kind}"') for kind in OPAQUE)
        signatures = sum(bool(getattr(part, "signature", "")) for part in parts)
        raw_signatures = sum(bytes(part.raw).count(b"thoughtSignature") for part in parts if hasattr(part, "raw"))
        assert signatures + raw_signatures == body.count('"thoughtSignature"'), name_of(row)
        tally["streams" if row["streaming"] else "whole replies"] += 1
    assert tally == {"whole replies": 334, "streams": 20, "errors": 2}


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_count_and_charge_is_that_of_the_price_library() -> None:
    book = PriceBook(price_base())
    uncounted, unpriced = 0, list[str]()
    for row in exchanges():
        if row["status"] != 200:
            continue
        last = next((each for each in reversed(objects(row)) if "usageMetadata" in each), None)
        usage = reply_of(WIRE, SPEC, row).usage
        if last is None or usage is None:
            uncounted += 1
            continue
        model = last["modelVersion"].removeprefix("models/")
        try:
            expected = extract_usage(readable(last) | {"modelVersion": model}, provider_id="google").usage
        except LookupError:
            unpriced.append(model)
            continue
        assert usage.input_total == expected.input_tokens, name_of(row)
        assert usage.output_total == expected.output_tokens, name_of(row)
        assert usage.reasoning == (expected.output_reasoning_tokens or 0), name_of(row)
        assert usage.cache_read + usage.audio_cache_read == (expected.cache_read_tokens or 0), name_of(row)
        sheet = book.sheet("google", model, organization_id="", provider_name="google", at=1_767_268_800.0)
        price = calc_price(expected, model, provider_id="google").total_price
        assert sheet is not None, model
        charge = rate(usage, sheet)
        searches = sum(line.amount for line in charge.lines if line.kind == "web_searches")
        assert abs(charge.total - searches - Decimal(price) * PICO_PER_USD) <= len(charge.lines), name_of(row)
    assert uncounted == UNCOUNTED
    assert not unpriced
