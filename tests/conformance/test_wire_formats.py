"""Tollway's own wire formats pass the suite that third parties' must."""

from typing import ClassVar

import pytest

from support.speakers import SPEAKERS
from support.speakers.said import SAID
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.providers.registry import REGISTRY
from tollway.providers.wires import WIRES


def spoken(format_name: str) -> tuple[Recording, ...]:
    """What the stand-in says in this format, whole, streamed and refused."""
    speaker = SPEAKERS[format_name]
    whole = [Recording(name=f"{name}-plain", body=speaker.plain(name)) for name in SAID]
    streams = [Recording(name=f"{name}-stream", body=speaker.stream(name), streamed=True) for name in SAID]
    refusals = [
        Recording(name=f"error-{status}", status=status, body=speaker.error(status, "no")) for status in (400, 429, 529)
    ]
    return (*whole, *streams, *refusals)


@pytest.mark.parametrize("name", [name for name in REGISTRY if name != "local"])
def test_every_row_speaks_a_format_that_there_is(name: str) -> None:
    spec = REGISTRY[name]
    assert {spec.dialect, *(dialect for _, dialect in spec.dialects)} <= set(WIRES)


class TestOpenAI(ProviderConformance):
    spec = REGISTRY["openai"]
    wire = WIRES["openai"]
    recordings = spoken("openai")


class TestAnthropic(ProviderConformance):
    spec = REGISTRY["anthropic"]
    wire = WIRES["anthropic"]
    recordings = spoken("anthropic")


class TestGemini(ProviderConformance):
    spec = REGISTRY["gemini"]
    wire = WIRES["gemini"]
    recordings = spoken("gemini")


class TestVertex(ProviderConformance):
    spec = REGISTRY["vertex"]
    wire = WIRES["gemini"]
    recordings = spoken("gemini")
    options: ClassVar[dict[str, str]] = {"region": "europe-west4", "project": "p"}


class TestBedrock(ProviderConformance):
    spec = REGISTRY["bedrock"]
    wire = WIRES["bedrock"]
    recordings = spoken("bedrock")
    options: ClassVar[dict[str, str]] = {"region": "eu-central-1"}


class TestCohere(ProviderConformance):
    spec = REGISTRY["cohere"]
    wire = WIRES["cohere"]
    recordings = spoken("cohere")
