"""Providers."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.provider import Provider, ProviderChange, ProviderCreate, ProviderSettings
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import ProviderNamePath, ProviderPath
from tollway.api.admin.problems import CONFLICT, created
from tollway.services.provider_settings import ProviderSettings as Settings

router = APIRouter(prefix="/providers", tags=["providers"])


def _settings(body: ProviderSettings | ProviderChange) -> Settings:
    secret = body.credential
    return Settings(
        **body.model_dump(exclude={"credential", "name"}), credential=secret.get_secret_value() if secret else None
    )


@router.post("", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def create_provider(body: ProviderCreate, access: Administrator, services: Services) -> Provider:
    """Add a provider. Of a known one (`name` or `spec` in the registry) the credential is enough. Scope: `admin`."""
    found = await services.provider_register().create(
        access.organization_id, body.name, _settings(body), caller=access.principal
    )
    return Provider.model_validate(found)


@router.put("/{provider}", responses={**created(Provider), **CONFLICT})
async def put_provider(
    provider: ProviderNamePath, body: ProviderSettings, access: Administrator, services: Services, response: Response
) -> Provider:
    """Make the provider of this name so: create it or change it. Scope: `admin`.

    A credential that is not given is kept, unless `base_url` moves to another host.
    """
    found, is_new = await services.provider_register().put(
        access.organization_id, provider, _settings(body), caller=access.principal
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Provider.model_validate(found)


@router.get("")
async def list_providers(access: Reader, services: Services, page: Paging) -> Listing[Provider]:
    """The providers of the organization. Scope: `read`."""
    rows = await services.provider_list().page(access.organization_id, page)
    return listing(rows, page, show=Provider.model_validate, id_of=lambda row: row.id)


@router.get("/{provider}")
async def get_provider(provider: ProviderPath, access: Reader, services: Services) -> Provider:
    """One provider. Scope: `read`."""
    return Provider.model_validate(await services.provider_list().find(access.organization_id, provider))


@router.patch("/{provider}", responses=CONFLICT)
async def change_provider(
    provider: ProviderPath, body: ProviderChange, access: Administrator, services: Services
) -> Provider:
    """Change a provider, its credential included. Scope: `admin`."""
    found = await services.provider_change().change(
        access.organization_id, provider, _settings(body), caller=access.principal
    )
    return Provider.model_validate(found)


@router.delete("/{provider}", status_code=HTTPStatus.NO_CONTENT, responses=CONFLICT)
async def delete_provider(provider: ProviderPath, access: Administrator, services: Services) -> None:
    """Remove a provider that no alias points to, its credential and declared models with it. Scope: `admin`."""
    await services.provider_remove().remove(access.organization_id, provider, caller=access.principal)
