"""The parts of a path that name something."""

from typing import Annotated

from fastapi import Path, Query

from tollway.api.admin.models.base import AliasName, KeyReference, ModelName, Name, Reference

OrganizationPath = Annotated[Reference, Path(description="Id or name.", examples=["acme"])]
ProjectPath = Annotated[Reference, Path(description="Id or name.", examples=["chatbot"])]
ProjectNamePath = Annotated[Name, Path(description="Name.", examples=["chatbot"])]
KeyPath = Annotated[
    KeyReference, Path(description="Id, or the name of a key that is not revoked.", examples=["laptop of Ada"])
]
ProviderPath = Annotated[Reference, Path(description="Id or name.", examples=["openai"])]
ProviderNamePath = Annotated[Name, Path(description="Name.", examples=["openai"])]
CredentialPath = Annotated[Name, Path(description="Name.", examples=["second"])]
WebhookPath = Annotated[Reference, Path(description="Id or name.", examples=["alerts"])]
ModelPath = Annotated[
    ModelName, Path(description="The provider's name of the model; may hold slashes.", examples=["gpt-4o-mini"])
]
AliasPath = Annotated[AliasName, Path(description="The alias.", examples=["fast"])]
PricedProviderPath = Annotated[
    str,
    Path(
        pattern=r"^(\*|[a-z0-9][a-z0-9._-]{0,62})$",
        max_length=63,
        description="Name of the provider; `*`: all.",
        examples=["openai"],
    ),
]
PricedModelPath = Annotated[
    str,
    Path(
        pattern=r"^(\*|[A-Za-z0-9@][A-Za-z0-9._:@/+~-]{0,255})$",
        max_length=256,
        description="The provider's name of the model; `*`: all.",
        examples=["gpt-4o-mini"],
    ),
]
IdPath = Annotated[
    str,
    Path(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", max_length=36, description="Id."),
]
ProjectQuery = Annotated[Reference | None, Query(description="Id or name of a project.")]
ProviderQuery = Annotated[Reference | None, Query(description="Id or name of a provider.")]
KeyQuery = Annotated[KeyReference | None, Query(description="Id of a key, or the name of one that is not revoked.")]
