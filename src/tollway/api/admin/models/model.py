"""Declared models on the wire."""

from datetime import datetime

from pydantic import Field

from tollway.api.admin.models.base import Shown


class Model(Shown):
    """A model that was declared for a provider."""

    id: str
    name: str = Field(description="What callers ask for.", examples=["openai/gpt-4o-mini"])
    provider: str
    model: str
    created_at: datetime
