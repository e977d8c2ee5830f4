"""The conformance suite over Anthropic's own recorded replies, every message and every stream of them."""

from support.anthropic_recordings import LEFT_OUT, messages, name_of, needs_recordings, rows
from tollway.conformance.suite import ProviderConformance, Recording
from tollway.providers.anthropic.wire import AnthropicWire
from tollway.providers.registry import REGISTRY


class TestAnthropic(ProviderConformance):
    spec = REGISTRY["anthropic"]
    wire = AnthropicWire()
    recordings = tuple(
        Recording(
            name=name_of(row), body=row["response_body"].encode(), status=row["status"], streamed=row["streaming"]
        )
        for row in messages()
    )
    model = "claude-sonnet-4-5"


class TestNewerModels(ProviderConformance):
    spec = REGISTRY["anthropic"]
    wire = AnthropicWire()
    model = "claude-opus-5"


@needs_recordings
def test_all_recordings_are_looked_at() -> None:
    assert len(rows()) == 276
    assert len(messages()) == 269
    assert {row["endpoint"] for row in rows()} == {"/v1/messages", *LEFT_OUT}
