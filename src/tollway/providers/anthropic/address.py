"""How Anthropic is asked: headers of a request."""

from collections.abc import Sequence

from tollway.providers.anthropic.names import API_VERSION, PASSED_HEADERS
from tollway.providers.auth import auth_headers
from tollway.providers.registry import ProviderSpec
from tollway.routing.catalog import Deployment

_OAUTH_TOKEN = "sk-ant-oat"  # noqa: S105 -- how such tokens begin
_OAUTH_BETA = "oauth-2025-04-20"


def request_headers(
    deployment: Deployment, spec: ProviderSpec, given: Sequence[tuple[str, str]] = ()
) -> dict[str, str]:
    """The headers of a request. A credential that is an OAuth token is shown as one.

    Args:
        deployment: who is asked.
        spec: of the provider.
        given: the caller's own, for the version of the API and its betas.
    """
    headers = {"content-type": "application/json", "accept-encoding": "identity", "anthropic-version": API_VERSION}
    headers |= {name: value for name, value in given if name in PASSED_HEADERS}
    if not deployment.credential.startswith(_OAUTH_TOKEN):
        return headers | auth_headers(spec.auth, deployment)
    betas = [beta for beta in (headers.get("anthropic-beta", ""), _OAUTH_BETA) if beta]
    return headers | {"authorization": f"Bearer {deployment.credential}", "anthropic-beta": ",".join(betas)}
