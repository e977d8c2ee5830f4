"""What depends on the generation of a model: its name tells."""

import re

_GENERATION = re.compile(r"gemini-(?:[a-z-]+-)?(?P<major>[0-9]+)(?:\.[0-9]+)?")
_NEWEST = 99
THINKS_BY_LEVEL_FROM = 3
"""Older ones take a budget of tokens: https://ai.google.dev/gemini-api/docs/thinking#levels-budgets"""


def generation(model: str) -> int:
    """Its major version; that of the newest for names without one, for instance ``gemini-flash-latest``."""
    found = _GENERATION.search(model)
    return int(found["major"]) if found is not None else _NEWEST
