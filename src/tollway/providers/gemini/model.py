"""What depends on the generation of a model: its name tells."""

import re

_GENERATION = re.compile(r"gemini-(?:[a-z-]+-)?(?P<major>[0-9]+)(?:\.[0-9]+)?")
_NEWEST = 99
NEW_RULES_FROM = 3
"""Older ones think by a budget of tokens instead of a level, need no signatures, and take no images in the results of
tools: https://ai.google.dev/gemini-api/docs/gemini-3"""


def generation(model: str) -> int:
    """Its major version; that of the newest for names without one, for instance ``gemini-flash-latest``."""
    found = _GENERATION.search(model)
    return int(found["major"]) if found is not None else _NEWEST
