"""What metering needs of a reply or a stream of the OpenAI format."""

from typing import Protocol

import msgspec

from tollway.providers.adapter import Answer, priced_tier
from tollway.providers.registry import ProviderSpec
from tollway.providers.usage.openai import parse_usage


class Told(Protocol):
    """What was told. Attributes: usage: the raw object, ``None`` if there is none; the others empty if not said."""

    model: str
    usage: msgspec.Raw | None
    service_tier: str


def answer_of(found: Told, spec: ProviderSpec) -> Answer:
    """Its usage in the convention of the provider."""
    tier = priced_tier(found.service_tier)
    parsed = parse_usage(found.usage, convention=spec.usage) if found.usage is not None else None
    if parsed is None:
        return Answer(found.model, service_tier=tier)
    return Answer(found.model, parsed.usage, parsed.provider_cost, tier)
