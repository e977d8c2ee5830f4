"""The conformance suite over Cohere's own recorded replies, and their usage and price against the price library's."""

import json
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import calc_price, extract_usage

from support.prices import price_base
from support.recordings import PATH, available, name_of, reply_of, rows_of
from tollway.chat.message import TextPart, ThinkingPart, ToolCallPart
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.ledger.price_book import PriceBook
from tollway.ledger.rating import rate
from tollway.providers.cohere.wire import CohereWire
from tollway.providers.registry import REGISTRY

LEFT_OUT = {
    "/v1/chat": "version 1 of the API: only version 2 is spoken",
    "/v1/generate": "the API before chat, which is no longer offered",
    "/v1/rerank": "no chat",
    "/v2/rerank": "no chat",
    "/v2/embed": "embeddings are not translated",
}
"""Endpoints of the other exchanges, and why they are left out."""
CHATS = 18
UNPRICED = {"command-a-reasoning-08-2025"}
"""Models that the price library does not know."""
PICO_PER_USD = 10**12
WIRE = CohereWire()
SPEC = REGISTRY["cohere"]


def exchanges() -> list[dict[str, Any]]:
    return [row for row in rows_of("cohere") if row["endpoint"] not in LEFT_OUT] if available() else []


class TestCohere(ProviderConformance):
    spec = SPEC
    wire = WIRE
    recordings = tuple(
        Recording(
            name=name_of(row), body=row["response_body"].encode(), status=row["status"], streamed=row["streaming"]
        )
        for row in exchanges()
    )
    model = "command-a-03-2025"


def objects(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The reply, or the events of the stream."""
    if not row["streaming"]:
        return [json.loads(row["response_body"])]
    data = (line.removeprefix("data: ") for line in row["response_body"].splitlines() if line.startswith("data: {"))
    return [json.loads(text) for text in data]


def told(row: dict[str, Any]) -> tuple[str, str, int]:
    """The words, the thoughts and the number of calls of a reply, read without our code."""
    texts, thoughts, calls = [], [], 0
    for each in objects(row):
        message = each.get("message") or (each.get("delta") or {}).get("message") or {}
        content = message.get("content") or []
        for block in content if isinstance(content, list) else [content]:
            texts.append(block.get("text", ""))
            thoughts.append(block.get("thinking", ""))
        texts.append(message.get("tool_plan") or "")
        calls += len(message.get("tool_calls") or [])
    return "".join(texts), "".join(thoughts), calls


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_answer_has_its_words_thoughts_and_calls() -> None:
    assert len(exchanges()) == CHATS
    for row in exchanges():
        (choice,) = reply_of(WIRE, SPEC, row).choices
        texts = "".join(part.text for part in choice.parts if isinstance(part, TextPart))
        thoughts = "".join(part.text for part in choice.parts if isinstance(part, ThinkingPart))
        calls = sum(isinstance(part, ToolCallPart) for part in choice.parts)
        assert (texts, thoughts, calls) == told(row), name_of(row)


@pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")
def test_every_recorded_count_and_charge_is_of_the_billed_units() -> None:
    book = PriceBook(price_base())
    for row in exchanges():
        last = objects(row)[-1]
        model = row["request_json"]["model"]
        told_usage = last.get("usage") or last["delta"]["usage"]
        usage = reply_of(WIRE, SPEC, row).usage
        assert usage is not None
        if model in UNPRICED:
            billed = told_usage["billed_units"]
            assert (usage.input, usage.output) == (billed["input_tokens"], billed["output_tokens"])
            continue
        expected = extract_usage({"model": model, "usage": told_usage}, provider_id="cohere").usage
        assert (usage.input_total, usage.output_total) == (expected.input_tokens, expected.output_tokens)
        sheet = book.sheet("cohere", model, organization_id="", provider_name="cohere", at=1_767_268_800.0)
        assert sheet is not None, model
        charge = rate(usage, sheet)
        price = calc_price(expected, model, provider_id="cohere").total_price
        assert abs(charge.total - Decimal(price) * PICO_PER_USD) <= len(charge.lines), name_of(row)
