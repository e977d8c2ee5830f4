"""Whoever may choose the address of a provider that signs in as this machine holds its identity: the platform alone."""

from typing import Any

import pytest

from tollway.data.session import Database
from tollway.errors import PermissionDeniedError, UnprocessableError
from tollway.identity.principal import Principal, Scope
from tollway.identity.vault import Vault
from tollway.ids import uuid7
from tollway.services.organization_create import OrganizationCreate
from tollway.services.provider_change import ProviderChange
from tollway.services.provider_credentials import ProviderCredentials
from tollway.services.provider_register import ProviderRegister
from tollway.services.provider_settings import ProviderSettings

TENANT = Principal(uuid7(), uuid7(), "", "bob", frozenset({Scope.ADMIN, Scope.READ}))
PLATFORM = Principal(uuid7(), uuid7(), "", "ada", frozenset({Scope.PLATFORM, Scope.ADMIN, Scope.READ}))
AMBIENT = ProviderSettings(spec="bedrock", options={"region": "us-east-1", "sign_in": "ambient"})
FEDERATED = ProviderSettings(spec="vertex", options={"project": "p", "sign_in": "federated"}, credential='{"type":"x"}')
VAULT = Vault(b"m" * 32)


@pytest.fixture
async def organization(database: Database) -> str:
    return (await OrganizationCreate(database).create(name="acme")).id


@pytest.mark.parametrize("settings", [AMBIENT, FEDERATED], ids=["ambient", "federated"])
async def test_only_the_platform_registers_a_provider_that_signs_in_as_this_machine(
    database: Database, organization: str, settings: ProviderSettings
) -> None:
    register = ProviderRegister(database, VAULT)
    for attempt in (register.create, register.put):
        with pytest.raises(PermissionDeniedError, match="identity of this machine"):
            await attempt(organization, "cloud", settings, caller=TENANT)
    assert await register.create(organization, "cloud", settings, caller=PLATFORM)


@pytest.mark.parametrize(
    "settings",
    [
        ProviderSettings(base_url="https://1.1.1.1"),
        ProviderSettings(credential="another"),
        ProviderSettings(options={"region": "eu-west-1"}),
        ProviderSettings(options={"sign_in": None}),
        ProviderSettings(models=["a"]),
    ],
    ids=["address", "credential", "region", "sign-in", "models"],
)
async def test_nothing_of_such_a_provider_is_changed_by_anybody_else(
    database: Database, organization: str, settings: ProviderSettings
) -> None:
    register, change = ProviderRegister(database, VAULT), ProviderChange(database, VAULT)
    await register.create(organization, "cloud", AMBIENT, caller=PLATFORM)
    with pytest.raises(PermissionDeniedError):
        await change.change(organization, "cloud", settings, caller=TENANT)
    plain: dict[str, Any] = {"spec": "bedrock", "credential": "key", "options": {"region": "us-east-1"}}
    with pytest.raises(PermissionDeniedError):
        await register.put(organization, "cloud", ProviderSettings(**plain), caller=TENANT)


async def test_a_tenant_cannot_switch_its_own_provider_over_to_the_identity_of_this_machine(
    database: Database, organization: str
) -> None:
    own = ProviderSettings(spec="bedrock", credential="key", options={"region": "us-east-1"})
    await ProviderRegister(database, VAULT).create(organization, "cloud", own, caller=TENANT)
    with pytest.raises(PermissionDeniedError):
        await ProviderChange(database, VAULT).change(
            organization, "cloud", ProviderSettings(options={"sign_in": "ambient"}), caller=TENANT
        )


async def test_what_a_tenant_stored_is_not_trusted_with_this_machine_because_the_platform_flips_a_switch(
    database: Database, organization: str
) -> None:
    register, change = ProviderRegister(database, VAULT), ProviderChange(database, VAULT)
    further = ProviderCredentials(database, VAULT)
    own = ProviderSettings(spec="vertex", credential='{"type":"external_account"}', options={"project": "p"})
    switch = ProviderSettings(options={"sign_in": "federated"})
    given = ProviderSettings(options={"sign_in": "federated"}, credential='{"type":"x"}')
    await register.create(organization, "cloud", own, caller=TENANT)
    with pytest.raises(UnprocessableError, match="not given to be trusted"):
        await change.change(organization, "cloud", switch, caller=PLATFORM)

    await further.add(organization, "cloud", "second", '{"type":"external_account"}', actor_key_id=TENANT.key_id)
    with pytest.raises(UnprocessableError, match="takes no further credentials"):
        await change.change(organization, "cloud", given, caller=PLATFORM)
    await further.remove(organization, "cloud", "second", actor_key_id=TENANT.key_id)
    await change.change(organization, "cloud", given, caller=PLATFORM)
    for attempt in (further.add, further.put):
        with pytest.raises(UnprocessableError, match="takes no further credentials"):
            await attempt(organization, "cloud", "second", '{"type":"x"}', actor_key_id=TENANT.key_id)


@pytest.mark.parametrize(
    ("spec", "document", "names"),
    [
        ("bedrock", '{"access_key_id":"a"}', "`secret_access_key`"),
        ("azure", '{"tenant_id":"t","client_id":"c"}', "`certificate`"),
        ("vertex", '{"client_email":"e"}', "`type`"),
    ],
)
async def test_a_document_that_no_cloud_takes_is_refused_when_it_is_stored(
    database: Database, organization: str, spec: str, document: str, names: str
) -> None:
    options = {"bedrock": {"region": "a"}, "vertex": {"project": "p"}}.get(spec, {})
    register, change = ProviderRegister(database, VAULT), ProviderChange(database, VAULT)
    settings = ProviderSettings(spec=spec, base_url="https://1.1.1.1", credential=document, options=options)
    with pytest.raises(UnprocessableError) as refused:
        await register.create(organization, "cloud", settings, caller=PLATFORM)
    assert names in refused.value.next_step
    plain = ProviderSettings(spec=spec, base_url="https://1.1.1.1", credential="key", options=options)
    await register.create(organization, "cloud", plain, caller=PLATFORM)
    with pytest.raises(UnprocessableError):
        await change.change(organization, "cloud", ProviderSettings(credential=document), caller=PLATFORM)
    with pytest.raises(UnprocessableError):
        await ProviderCredentials(database, VAULT).add(
            organization, "cloud", "second", document, actor_key_id=PLATFORM.key_id
        )
