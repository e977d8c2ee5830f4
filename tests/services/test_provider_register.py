import pytest

from tollway.data.session import Database
from tollway.errors import UnprocessableError
from tollway.identity.principal import Principal, Scope
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services.provider_register import ProviderRegister
from tollway.services.provider_settings import ProviderSettings

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
