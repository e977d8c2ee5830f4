"""Models that cost nothing, as their provider itself says: where the price book merely has no price for them."""

STATED_FREE: dict[tuple[str, str], str] = {
    ("openai", "moderation"): "https://developers.openai.com/api/docs/models/omni-moderation-latest, 2026-11-22",
}
"""Provider and model by their names in genai-prices → where it says so, and when that was read."""
