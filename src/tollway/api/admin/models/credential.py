"""Credentials of providers on the wire. A credential goes in and never comes out."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from tollway.api.admin.models.base import Given, Name, Shown
from tollway.services.provider_settings import CREDENTIAL_MAX_CHARS

SUFFIX = "The last four characters, to recognise it by; of a JSON document, those of its SHA-256."
Secret = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=CREDENTIAL_MAX_CHARS,
        description="The provider's API key, or a cloud's JSON document. Stored encrypted, never shown again.",
        examples=["sk-…"],
        json_schema_extra={"writeOnly": True},
    ),
]


class CredentialSettings(Given):
    """What `PUT` makes so."""

    credential: Secret


class CredentialCreate(CredentialSettings):
    """A further credential."""

    name: Name = Field(description="To tell it from the others.", examples=["second"])


class Credential(Shown):
    """A further credential of a provider."""

    id: str
    provider_id: str
    name: str
    credential_suffix: str = Field(description=SUFFIX, examples=["a1B2"])
    created_at: datetime
