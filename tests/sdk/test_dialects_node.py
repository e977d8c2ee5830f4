"""Anthropic's SDK and Vercel's AI SDK for Node against Tollway, with a provider that speaks chat completions."""

from typing import Any

import pytest

from support.gateway import Gateway
from support.replies import WORDS
from support.sdk import NODE_MARKS, run_node

TEXT = "".join(WORDS)

pytestmark = NODE_MARKS


@pytest.fixture(scope="module")
def seen(gateway: Gateway) -> dict[str, Any]:
    """What the SDKs saw: one run of `dialects.mjs`."""
    return run_node("dialects.mjs", {"URL": gateway.url, "API_KEY": gateway.project_key})


def test_anthropics_sdk_reads_answers_and_streams(seen: dict[str, Any]) -> None:
    assert seen["anthropic"] == {"text": TEXT, "stop": "end_turn", "counted": True}
    assert seen["anthropicStream"] == TEXT
    assert seen["anthropicTokens"]


def test_anthropics_sdk_calls_tools_and_sends_their_results(seen: dict[str, Any]) -> None:
    assert seen["anthropicTool"] == {"name": "weather", "input": {"city": "Paris"}, "stop": "tool_use"}
    assert seen["anthropicAnswer"] == "The tool says: 21 degrees"


def test_anthropics_sdk_raises_its_own_errors(seen: dict[str, Any]) -> None:
    assert seen["anthropicError"] == {"name": "NotFoundError", "status": 404, "type": "not_found_error"}


@pytest.mark.parametrize("provider", ["compatible", "messages"])
def test_vercels_sdk_works_in_both_dialects(seen: dict[str, Any], provider: str) -> None:
    assert seen[provider] == {
        "text": TEXT,
        "streamed": TEXT,
        "counted": True,
        "looped": "The tool says: 21 degrees in Paris",
        "steps": 2,
    }


def test_vercels_sdk_gets_structured_output(seen: dict[str, Any]) -> None:
    assert seen["structured"] == {"city": "Paris", "degrees": 21}
