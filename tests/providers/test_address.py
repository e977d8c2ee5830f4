"""Where a provider is asked."""

import pytest
from msgspec.structs import replace

from support.chats import AT
from tollway.providers.address import url_of
from tollway.providers.auth import Auth
from tollway.providers.registry import REGISTRY

AZURE = REGISTRY["azure"]
ROOT = "https://acme.openai.azure.com"


@pytest.mark.parametrize("base_url", [ROOT, f"{ROOT}/openai", f"{ROOT}/openai/v1", f"{ROOT}/v1", f"{ROOT}/"])
@pytest.mark.parametrize(
    ("version", "path", "expected"),
    [
        ("v1", "/chat/completions", "/openai/v1/chat/completions"),
        ("", "/embeddings", "/openai/v1/embeddings"),
        ("preview", "/responses", "/openai/v1/responses?api-version=preview"),
        ("2024-10-21", "/chat/completions", "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"),
        ("2025-03-01-preview", "/responses", "/openai/responses?api-version=2025-03-01-preview"),
    ],
)
def test_azure_has_an_api_with_dates_and_one_without(base_url: str, version: str, path: str, expected: str) -> None:
    deployment = replace(AT, base_url=base_url, options={"api_version": version})
    assert url_of(deployment, AZURE, path, "my gpt") == ROOT + expected


def test_others_have_everything_below_their_address() -> None:
    assert url_of(AT, REGISTRY["groq"], "/chat/completions", "m") == "https://provider.example/v1/chat/completions"


@pytest.mark.parametrize(
    ("credential", "options", "auth"),
    [
        ("key", {}, Auth.API_KEY),
        ("key", {"sign_in": "credential"}, Auth.API_KEY),
        ("", {"sign_in": "ambient"}, Auth.OAUTH),
        ('{"tenant_id":"t"}', {}, Auth.OAUTH),
    ],
)
def test_azure_takes_a_key_or_a_token(credential: str, options: dict[str, str], auth: Auth) -> None:
    assert AZURE.auth_for(replace(AT, credential=credential, options=options)) is auth


def test_a_credential_that_looks_like_an_account_is_a_key_elsewhere() -> None:
    assert REGISTRY["openai"].auth_for(replace(AT, credential="{")) is Auth.BEARER
