import time

import pytest

from support.logs import logged
from tollway.data.session import Database
from tollway.identity.vault import Vault
from tollway.providers.registry import REGISTRY, OptionSpec, ProviderSpec
from tollway.providers.usage.conventions import convention_for
from tollway.routing.catalog import Deployment
from tollway.services.catalog_load import CatalogLoad
from tollway.services.first_start import FirstStart
from tollway.services.machine_providers import MachineProviders, base_url_of
from tollway.services.price_book_load import PriceBookLoad

VAULT = Vault(b"m" * 32)


@pytest.fixture
async def machine(database: Database, tmp_path_factory: pytest.TempPathFactory) -> MachineProviders:
    data_dir = tmp_path_factory.mktemp("data")
    await FirstStart(database, pepper=b"p" * 32, data_dir=data_dir).ensure("http://127.0.0.1:8080")
    return MachineProviders(database, VAULT)


async def deployments(database: Database) -> dict[str, Deployment]:
    catalog = await CatalogLoad(database, VAULT).load()
    return {name: deployment for (_, name), deployment in catalog.deployments.items()}


async def test_each_provider_whose_variable_is_set_is_registered(database: Database, machine: MachineProviders) -> None:
    names = await machine.register({"GROQ_API_KEY": "gsk-1", "OLLAMA_HOST": "box:11434", "MISTRAL_API_KEY": ""})
    assert set(names) == {"groq", "ollama"}
    found = await deployments(database)
    assert found["groq"].credential == "gsk-1"
    assert found["ollama"].base_url == "http://box:11434/v1"


async def test_options_come_from_their_variables_beside_the_credential(
    database: Database, machine: MachineProviders, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = OptionSpec("region", "where", required=True, variable="CLOUD_REGION")
    cloud = ProviderSpec(
        name="cloud",
        title="Cloud",
        base_url="https://{region}.cloud.example",
        usage=convention_for("openai"),
        key_variable="CLOUD_KEY",
        options=(region,),
    )
    monkeypatch.setitem(REGISTRY, "cloud", cloud)
    assert await machine.register({"CLOUD_KEY": "k"}) == ()
    assert await machine.register({"CLOUD_KEY": "k", "CLOUD_REGION": "eu-1"}) == ("cloud",)
    found = (await deployments(database))["cloud"]
    assert (found.base_url, found.options) == ("https://eu-1.cloud.example", {"region": "eu-1"})


async def test_a_changed_variable_wins_at_the_next_start(database: Database, machine: MachineProviders) -> None:
    await machine.register({"GROQ_API_KEY": "gsk-1"})
    await machine.register({"GROQ_API_KEY": "gsk-2"})
    assert (await deployments(database))["groq"].credential == "gsk-2"


async def test_a_value_that_cannot_be_used_is_logged_and_does_not_stop_the_others(machine: MachineProviders) -> None:
    with logged() as logs:
        names = await machine.register({"OLLAMA_HOST": "ftp://box", "GROQ_API_KEY": "gsk-1"})
    assert names == ("groq",)
    assert [entry["provider"] for entry in logs] == ["ollama"]


async def test_the_local_model_moves_with_each_start_and_is_priced_at_zero(
    database: Database, machine: MachineProviders
) -> None:
    await machine.register_local(base_url="http://127.0.0.1:1001/v1", api_key="first", model="smollm2")
    await machine.register_local(base_url="http://127.0.0.1:1002/v1", api_key="second", model="smollm2")
    local = (await deployments(database))["local"]
    assert (local.base_url, local.credential, local.models) == ("http://127.0.0.1:1002/v1", "second", ("smollm2",))
    prices = await PriceBookLoad(database).load()
    sheet = prices.sheet(local.price_provider, "smollm2", organization_id="", provider_name="local", at=time.time())
    assert sheet is not None
    assert {rate.price for rate in sheet.rates.values()} == {0}


@pytest.mark.parametrize(
    ("address", "base_url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("box", "http://box:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),  # noqa: S104  # read, not bound
        ("0.0.0.0:9000", "http://127.0.0.1:9000/v1"),
        ("https://models.example.org/", "https://models.example.org/v1"),
        ("http://box:1234/v1", "http://box:1234/v1"),
        ("http://box:1234/llm", "http://box:1234/llm/v1"),
    ],
)
def test_an_address_is_read_in_the_forms_that_people_write(address: str, base_url: str) -> None:
    assert base_url_of(address) == base_url
