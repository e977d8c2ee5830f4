"""The row of Anthropic."""

from tollway.providers.auth import Auth
from tollway.providers.spec import ProviderSpec
from tollway.providers.usage.conventions import convention_for
from tollway.providers.wire_names import ANTHROPIC as FORMAT

ANTHROPIC = ProviderSpec(
    name="anthropic",
    title="Anthropic",
    base_url="https://api.anthropic.com/v1",
    usage=convention_for("anthropic"),
    dialect=FORMAT,
    key_variable="ANTHROPIC_API_KEY",
    price_provider="anthropic",
    auth=Auth.X_API_KEY,
    surfaces=frozenset({"messages", "count_tokens"}),
)
