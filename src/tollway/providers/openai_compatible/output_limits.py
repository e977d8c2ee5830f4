"""How much the models write at the most whose limit is low: to ask them for more is an error.

Sources: https://platform.openai.com/docs/models, https://api-docs.deepseek.com/quick_start/pricing,
https://console.groq.com/docs/models. A model that is not listed is taken to write as much as is asked for.
"""

_LIMITS: tuple[tuple[str, int], ...] = (
    ("gpt-3.5-turbo", 4_096),
    ("gpt-4o-2024-05-13", 4_096),
    ("gpt-4o", 16_384),
    ("gpt-4-turbo", 4_096),
    ("gpt-4-1106", 4_096),
    ("gpt-4-0125", 4_096),
    ("gpt-4-vision", 4_096),
    ("gpt-4.1", 32_768),
    ("gpt-4", 8_192),
    ("chatgpt-4o", 16_384),
    ("davinci-002", 16_384),
    ("babbage-002", 16_384),
    ("o1-mini", 65_536),
    ("o1-preview", 32_768),
    ("deepseek-chat", 8_192),
    ("gemma2-9b-it", 8_192),
    ("llama-3.3-70b-versatile", 32_768),
    ("meta-llama/llama-4-", 8_192),
)


def output_limit(model: str) -> int | None:
    """Tokens that a model writes at the most for one answer, ``None`` if that is not known here."""
    return next((limit for prefix, limit in _LIMITS if model.startswith(prefix)), None)
