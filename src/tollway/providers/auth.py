"""How a provider is shown its credential, where one header does it; else `tollway.providers.sign_in` does."""

from collections.abc import Mapping
from enum import StrEnum

from tollway.routing.catalog import Deployment


class Auth(StrEnum):
    """Schemes of authentication."""

    BEARER = "bearer"
    """``authorization: Bearer …``"""
    API_KEY = "api-key"
    X_API_KEY = "x-api-key"
    X_GOOG_API_KEY = "x-goog-api-key"
    OAUTH = "oauth"
    """A cloud's token, kept fresh by `tollway.providers.sign_in`."""
    SIGNED = "signed"
    """Every request is signed by `tollway.providers.sign_in`."""


_SECRETS = ("authorization", "api-key", "x-api-key", "x-goog-api-key", "x-amz-security-token")
"""Headers in which a provider is shown a credential, a token or a signature."""
_SECRET_MIN_CHARS = 8
_HIDDEN = "…".encode()
_BEARER = Auth.BEARER  # naming a member of an enum takes 0.2 µs
STATIC = frozenset({_BEARER, Auth.API_KEY, Auth.X_API_KEY, Auth.X_GOOG_API_KEY})


def auth_headers(auth: Auth, deployment: Deployment) -> dict[str, str]:
    """The header that shows the credential; none if there is none, or if it is shown in another way."""
    credential = deployment.credential
    if not credential:
        return {}
    if auth is _BEARER:
        return {"authorization": f"Bearer {credential}"}
    return {auth.value: credential} if auth in STATIC else {}


def json_headers(auth: Auth, deployment: Deployment) -> dict[str, str]:
    """The headers of a request with a JSON body, whose reply is not to be compressed."""
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    return headers | auth_headers(auth, deployment)


def without_secrets(told: bytes, headers: Mapping[str, str]) -> bytes:
    """What a provider tells without the credential that it was shown in these headers: some repeat it in an error."""
    for name in _SECRETS:
        secret = headers.get(name, "").removeprefix("Bearer ")
        if len(secret) >= _SECRET_MIN_CHARS:
            told = told.replace(secret.encode(), _HIDDEN)
            if "/" in secret:  # as some write it in JSON
                told = told.replace(secret.replace("/", "\\/").encode(), _HIDDEN)
    return told
