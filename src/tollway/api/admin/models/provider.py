"""Providers on the wire. A credential goes in and never comes out."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from tollway.api.admin.models.base import Given, ModelName, Name, Shown
from tollway.api.admin.models.credential import SUFFIX, Secret

SpecName = Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", max_length=63)]
BaseUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s@?#\x00-\x20\x7f]{1,500}$", max_length=512),
    Field(
        description="Where the API lives. Without scope `platform`: https only, and no private, loopback or link-local "
        "address. No credentials in it.",
        examples=["https://api.openai.com/v1"],
    ),
]
OptionName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,62}$", max_length=63)]
OptionValue = Annotated[
    str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._:/@=,+-]{0,511}$", min_length=1, max_length=512)
]
PriceProvider = Annotated[
    str,
    StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", max_length=63),
    Field(description="Name under which the price book knows the provider; default: that of the spec."),
]


class ProviderSettings(Given):
    """What `PUT` makes so. The credential is kept if none is given."""

    spec: SpecName | None = Field(
        None,
        description="A row of the provider registry; default: the row of the provider's own name, "
        "else `openai_compatible`.",
        examples=["openai"],
    )
    dialect: SpecName | None = Field(None, description="The wire format; default: that of the spec.")
    base_url: BaseUrl | None = Field(None, description="Default: that of the spec.")
    credential: Secret | None = None
    price_provider: PriceProvider | None = None
    declared_only: bool = Field(False, description="Refuse models that are not declared.")
    models: list[ModelName] | None = Field(
        None, max_length=1_000, description="The declared models; null leaves them as they are.", examples=[["gpt-4o"]]
    )
    options: dict[OptionName, OptionValue] = Field(
        {},
        max_length=32,
        description="What this kind of provider takes besides: see the providers' page of the documentation.",
        examples=[{"region": "eu-central-1"}],
    )


class ProviderCreate(ProviderSettings):
    """A new provider."""

    name: Name = Field(description="The part of `provider/model` before the slash.", examples=["openai"])


class ProviderChange(Given):
    """What to change; what is left out stays.

    The credential belongs to the host it was given for: a change of the host of `base_url` needs it again.
    """

    base_url: BaseUrl | None = None
    credential: Secret | None = None
    price_provider: PriceProvider | None = None
    declared_only: bool | None = Field(None, description="Refuse models that are not declared.")
    models: list[ModelName] | None = Field(None, max_length=1_000, description="Replaces the declared models.")
    options: dict[OptionName, OptionValue | None] | None = Field(
        None,
        max_length=32,
        description="The options that change; null takes one away.",
        examples=[{"region": "eu-west-1"}],
    )


class Provider(Shown):
    """A provider."""

    id: str
    organization_id: str
    name: str
    spec: str
    dialect: str
    base_url: str
    has_credential: bool
    credential_suffix: str = Field(description=SUFFIX, examples=["a1B2"])
    price_provider: str
    declared_only: bool
    models: list[str]
    options: dict[str, str]
    created_at: datetime
    updated_at: datetime
