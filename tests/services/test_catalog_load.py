import asyncio

from support.control_plane import factory_with_keys
from support.postgres import DatabaseUrls
from tollway.identity.vault import Vault
from tollway.services.catalog_load import CatalogLoad
from tollway.services.provider_settings import ProviderSettings


def test_a_credential_that_does_not_open_marks_its_provider_only(database_urls: DatabaseUrls) -> None:
    async def story() -> None:
        factory = factory_with_keys(database_urls.app)
        organization = await factory.organization_create().create(name="acme")
        register = factory.provider_register()
        await register.create(
            organization.id, "openai", ProviderSettings(credential="sk-secret", models=["b", "a"]), caller=None
        )
        await register.create(organization.id, "ollama", ProviderSettings(), caller=None)
        database = factory._context.database
        catalog = await CatalogLoad(database, Vault(b"m" * 32)).load()
        deployment = catalog.deployments[organization.id, "openai"]
        assert (deployment.credential, deployment.models) == ("sk-secret", ("a", "b"))
        assert "sk-secret" not in repr(catalog)
        other = await CatalogLoad(database, Vault(b"x" * 32)).load()
        assert {name: found.sealed for (_, name), found in other.deployments.items()} == {
            "openai": True,
            "ollama": False,
        }
        assert not other.deployments[organization.id, "openai"].credential
        assert other.version > catalog.version
        await factory._context.aclose()

    asyncio.run(story())
