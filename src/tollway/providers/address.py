"""Where a provider has what it is asked for: the one place where addresses are put together. Pure."""

from urllib.parse import quote

from tollway.providers.registry import ProviderSpec
from tollway.routing.catalog import Deployment

_V1 = ("v1", "preview", "latest")
"""Values of ``api_version`` that mean the API without dates."""
_OF_A_DEPLOYMENT = ("/chat/completions", "/completions", "/embeddings", "/audio/", "/images/")


def url_of(deployment: Deployment, spec: ProviderSpec, path: str, model: str) -> str:
    """The address of an endpoint.

    Args:
        deployment: who is asked.
        spec: of the provider.
        path: of the endpoint below the base URL, for instance ``/chat/completions``.
        model: the name of the model at the provider.
    """
    if spec.addresses == "azure":
        return _azure(deployment, path, model)
    return deployment.base_url + path


def _azure(deployment: Deployment, path: str, model: str) -> str:
    """The ``v1`` API has the model in the body; the older one has each deployment at its own address, by date.

    Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle and
    https://learn.microsoft.com/azure/ai-foundry/openai/reference
    """
    root = deployment.base_url.removesuffix("/").removesuffix("/v1").removesuffix("/openai")
    version = deployment.options.get("api_version", "") or _V1[0]
    if version in _V1:
        query = "" if version == _V1[0] else f"?api-version={version}"
        return f"{root}/openai/v1{path}{query}"
    place = f"/deployments/{quote(model, safe='')}" if path.startswith(_OF_A_DEPLOYMENT) else ""
    return f"{root}/openai{place}{path}?api-version={quote(version, safe='')}"
