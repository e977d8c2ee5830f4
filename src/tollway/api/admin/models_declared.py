"""Declared models."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from tollway.api.admin.auth import Administrator, Reader, Services
from tollway.api.admin.models.model import Model
from tollway.api.admin.pagination import Listing, Paging, listing
from tollway.api.admin.paths import ModelPath, ProviderPath, ProviderQuery
from tollway.api.admin.problems import created

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
async def list_models(
    access: Reader,
    services: Services,
    page: Paging,
    provider: ProviderQuery = None,
) -> Listing[Model]:
    """The declared models. Scope: `read`."""
    rows = await services.model_list().page(access.organization_id, page, provider=provider)
    return listing(rows, page, show=Model.model_validate, id_of=lambda row: row.id)


@router.put("/{provider}/{model:path}", responses=created(Model))
async def declare_model(
    provider: ProviderPath, model: ModelPath, access: Administrator, services: Services, response: Response
) -> Model:
    """Declare a model: `GET /v1/models` lists it, and a `declared_only` provider takes it. Scope: `admin`."""
    row, is_new = await services.model_declare().declare(
        access.organization_id, provider, model, actor_key_id=access.principal.key_id
    )
    response.status_code = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return Model.model_validate(row)


@router.delete("/{provider}/{model:path}", status_code=HTTPStatus.NO_CONTENT)
async def remove_model(provider: ProviderPath, model: ModelPath, access: Administrator, services: Services) -> None:
    """Take a declaration back. Scope: `admin`."""
    await services.model_remove().remove(access.organization_id, provider, model, actor_key_id=access.principal.key_id)
