"""The registry of providers: one row of data each.

A row states who the provider is and what it can do; every capability is off unless stated. `OPENAI_COMPATIBLE` serves
any server that speaks the OpenAI format and has no row of its own.
"""

from tollway.providers.anthropic.row import ANTHROPIC
from tollway.providers.cloud_rows import CLOUDS
from tollway.providers.rows import LOCAL, OPENAI_COMPATIBLE, ROWS
from tollway.providers.spec import SIGN_IN, OptionSpec, ProviderSpec

__all__ = ["LOCAL", "OPENAI_COMPATIBLE", "REGISTRY", "SIGN_IN", "OptionSpec", "ProviderSpec"]

REGISTRY: dict[str, ProviderSpec] = {row.name: row for row in (*ROWS, ANTHROPIC, *CLOUDS)}
"""Name → row."""
