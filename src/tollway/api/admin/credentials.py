"""Further credentials of a provider."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.credential import Credential, CredentialCreate, CredentialSettings
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import CredentialPath, ProviderPath
from tollway.api.admin.problems import CONFLICT, created

router = APIRouter(prefix="/providers/{provider}/credentials", tags=["providers"])


@router.post("", status_code=HTTPStatus.CREATED, responses=CONFLICT)
async def add_credential(
    provider: ProviderPath, body: CredentialCreate, access: Administrator, services: Services
) -> Credential:
    """Add a credential that takes turns with the provider's own, and rests while it is exhausted. Scope: `admin`."""
    found = await services.provider_credentials().add(
        access.organization_id,
        provider,
        body.name,
        body.credential.get_secret_value(),
        actor_key_id=access.principal.key_id,
    )
    return Credential.model_validate(found)


@router.get("")
async def list_credentials(
    provider: ProviderPath, access: Reader, services: Services, page: Paging
) -> Listing[Credential]:
    """The further credentials of a provider, without their secrets. Scope: `read`."""
    rows = await services.provider_credentials().page(access.organization_id, provider, page)
    return listing(rows, page, show=Credential.model_validate, id_of=lambda row: row.id)


@router.put("/{name}", responses={**created(Credential), **CONFLICT})
async def put_credential(
    *,
    provider: ProviderPath,
    name: CredentialPath,
    body: CredentialSettings,
    access: Administrator,
    services: Services,
    response: Response,
) -> Credential:
    """Rotate the credential of this name, or add it. Scope: `admin`."""
    found, is_new = await services.provider_credentials().put(
        access.organization_id,
        provider,
        name,
        body.credential.get_secret_value(),
        actor_key_id=access.principal.key_id,
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Credential.model_validate(found)


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def remove_credential(
    provider: ProviderPath, name: CredentialPath, access: Administrator, services: Services
) -> None:
    """Take a further credential away. Scope: `admin`."""
    await services.provider_credentials().remove(
        access.organization_id, provider, name, actor_key_id=access.principal.key_id
    )
