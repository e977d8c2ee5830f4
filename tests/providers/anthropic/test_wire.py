"""The conformance suite over Anthropic's own recorded replies, every message and every stream of them."""

import gzip
import json
from functools import cache
from typing import Any

import pytest

from support.recordings import PATH, available
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.providers.anthropic.wire import AnthropicWire
from tollway.providers.registry import REGISTRY

LEFT_OUT = {
    "/v1/complete": "the API before messages, which is no longer offered",
    "/v1/messages/count_tokens": "counts are passed on or made here, never translated",
}
"""Endpoints of Anthropic's among the recordings that are no messages, and why."""


@cache
def rows() -> tuple[dict[str, Any], ...]:
    """Every exchange with Anthropic."""
    with gzip.open(PATH, "rt", encoding="utf-8") as lines:
        return tuple(row for row in map(json.loads, lines) if row["provider"] == "anthropic")


def messages() -> list[dict[str, Any]]:
    return [row for row in rows() if row["endpoint"] not in LEFT_OUT]


def recorded() -> tuple[Recording, ...]:
    if not available():
        return ()
    return tuple(
        Recording(
            name=f"{row['source']}:{row['path']}:{row['idx']}",
            body=row["response_body"].encode(),
            status=row["status"],
            streamed=row["streaming"],
        )
        for row in messages()
    )


class TestAnthropic(ProviderConformance):
    spec = REGISTRY["anthropic"]
    wire = AnthropicWire()
    recordings = recorded()
    model = "claude-sonnet-4-5"


class TestNewerModels(ProviderConformance):
    spec = REGISTRY["anthropic"]
    wire = AnthropicWire()
    model = "claude-opus-5"


@pytest.mark.skipif(not available(), reason="the recordings are not on this machine")
def test_all_recordings_are_looked_at() -> None:
    assert len(rows()) == 276
    assert len(messages()) == 269
    assert {row["endpoint"] for row in rows()} == {"/v1/messages", *LEFT_OUT}
