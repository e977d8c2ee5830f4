"""The wire formats that requests are translated into, by the dialect of a provider's row."""

from tollway.providers.wire import Wire

WIRES: dict[str, Wire] = {}
"""Dialect of `tollway.providers.registry.ProviderSpec` → wire format."""
