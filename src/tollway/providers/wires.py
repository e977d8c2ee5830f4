"""The wire formats that requests are translated into, by the dialect of a provider's row."""

from tollway.providers.anthropic.wire import AnthropicWire
from tollway.providers.bedrock.wire import BedrockWire
from tollway.providers.gemini.wire import GeminiWire
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.wire import Wire
from tollway.providers.wire_names import OPENAI

WIRES: dict[str, Wire] = {
    "anthropic": AnthropicWire(),
    "bedrock": BedrockWire(),
    "gemini": GeminiWire(),
    OPENAI: OPENAI_WIRE,
    "vertex": GeminiWire(on_vertex=True),
}
"""Dialect of `tollway.providers.registry.ProviderSpec` → wire format."""
