"""The wire formats that requests are translated into, by the dialect of a provider's row."""

from tollway.providers.anthropic.wire import AnthropicWire
from tollway.providers.bedrock.wire import BedrockWire
from tollway.providers.cohere.wire import CohereWire
from tollway.providers.gemini.wire import GeminiWire
from tollway.providers.openai_compatible.wire import OPENAI_WIRE
from tollway.providers.vertex.claude import VertexClaudeWire
from tollway.providers.wire import Wire
from tollway.providers.wire_names import OPENAI

WIRES: dict[str, Wire] = {
    "anthropic": AnthropicWire(),
    "bedrock": BedrockWire(),
    "cohere": CohereWire(),
    "gemini": GeminiWire(),
    OPENAI: OPENAI_WIRE,
    "vertex": GeminiWire(on_vertex=True),
    "vertex_anthropic": VertexClaudeWire(),
}
"""Dialect of `tollway.providers.registry.ProviderSpec` → wire format."""
