import msgspec
import pytest

from tollway.data.session import Database
from tollway.errors import UnprocessableError
from tollway.identity.principal import Principal, Scope
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services.catalog_load import CatalogLoad
from tollway.services.organization_create import OrganizationCreate
from tollway.services.provider_change import ProviderChange
from tollway.services.provider_register import ProviderRegister
from tollway.services.provider_settings import ProviderSettings

TENANT = Principal(uuid7(), uuid7(), "", "bob", frozenset({Scope.ADMIN, Scope.READ}))
PLATFORM = Principal(uuid7(), uuid7(), "", "ada", frozenset({Scope.PLATFORM, Scope.ADMIN, Scope.READ}))


@pytest.mark.parametrize(("name", "spec"), [("local", None), ("local", "openai"), ("vendor", "local")])
async def test_nobody_can_pass_off_a_provider_as_the_demo_model_which_is_free(
    database: Database, name: str, spec: str | None
) -> None:
    register = ProviderRegister(database, Vault(b"m" * 32))
    settings = ProviderSettings(spec=spec, base_url="https://api.vendor.example/v1")
    with pytest.raises(UnprocessableError, match="comes with the server"):
        await register.create(PLATFORM.organization_id, name, settings, caller=PLATFORM)
    with pytest.raises(UnprocessableError, match="comes with the server"):
        await register.put(PLATFORM.organization_id, name, settings, caller=PLATFORM)


async def test_an_address_that_a_tenant_chose_is_checked_at_every_connection_and_the_platforms_own_are_not(
    database: Database,
) -> None:
    vault = Vault(b"m" * 32)
    register, change = ProviderRegister(database, vault), ProviderChange(database, vault)
    organization = await OrganizationCreate(database).create(name="acme")

    async def public_only() -> dict[str, bool]:
        catalog = await CatalogLoad(database, vault).load()
        return {name: found.public_only for (_, name), found in catalog.deployments.items()}

    public = ProviderSettings(base_url="https://1.1.1.1/v1")
    private = ProviderSettings(base_url="http://10.0.0.1/v1")
    await register.create(organization.id, "openai", ProviderSettings(credential="sk-secret"), caller=TENANT)
    await register.create(organization.id, "tenants", public, caller=TENANT)
    await register.create(organization.id, "platforms", private, caller=PLATFORM)
    assert await public_only() == {"openai": False, "tenants": True, "platforms": False}

    await change.change(organization.id, "tenants", msgspec.structs.replace(public, models=["a"]), caller=TENANT)
    await change.change(organization.id, "platforms", ProviderSettings(models=["a"]), caller=TENANT)
    assert await public_only() == {"openai": False, "tenants": True, "platforms": False}

    await change.change(organization.id, "tenants", private, caller=PLATFORM)
    await register.put(organization.id, "platforms", public, caller=TENANT)
    assert await public_only() == {"openai": False, "tenants": False, "platforms": True}
