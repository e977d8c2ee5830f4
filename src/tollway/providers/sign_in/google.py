"""Access tokens of Google Cloud: of a service account, of a user, of workload identity federation, of this machine.

https://google-auth.readthedocs.io/en/stable/user-guide.html
"""

import calendar
import functools
import time
from collections.abc import Callable
from typing import Any

import google.auth
import google.auth.exceptions
from google.auth import aws, identity_pool, impersonated_credentials, pluggable
from google.auth.transport.requests import Request
from google.oauth2 import credentials as user
from google.oauth2 import service_account

from tollway.providers.sign_in.grant import Grant, SignInRefused, refused
from tollway.providers.sign_in.identity import AMBIENT, FEDERATED, Identity

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address
_SERVICE_ACCOUNT = ("client_email", "private_key", "private_key_id", "project_id")
_USER = ("client_id", "client_secret", "refresh_token")
_AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 -- a type
_TIMEOUT_S = 10.0
_LIFETIME_S = 3_600.0
"""Of a token that does not tell."""


def fetcher(identity: Identity) -> Callable[[], Grant]:
    """What fetches a token, in a thread."""

    def fetch() -> Grant:
        try:
            credentials = _credentials(identity)
            credentials.refresh(functools.partial(Request(), timeout=_TIMEOUT_S))
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError, KeyError) as error:
            raise refused(error, identity) from error
        if not credentials.token:
            raise SignInRefused("Google gave no token.")
        expiry = credentials.expiry  # naive, in UTC
        expires_at_s = calendar.timegm(expiry.timetuple()) if expiry is not None else time.time() + _LIFETIME_S
        return Grant(float(expires_at_s), token=credentials.token)

    return fetch


def _credentials(identity: Identity) -> Any:
    if identity.mode == AMBIENT:
        return google.auth.default(scopes=_SCOPES)[0]
    document = identity.document() or {}
    return _federated(document) if identity.mode == FEDERATED else _stored(document)


def _federated(document: dict[str, Any]) -> Any:
    """Of a document that the operator vouches for. The library's own loader would ask for the project's name too."""
    kind = document.get("type")
    if kind == "external_account":
        source = document.get("credential_source", {})
        if document.get("subject_token_type") == _AWS_TOKEN:
            return aws.Credentials.from_info(document, scopes=_SCOPES)  # type: ignore[no-untyped-call]
        library = pluggable if "executable" in source else identity_pool
        return library.Credentials.from_info(document, scopes=_SCOPES)
    if kind == "impersonated_service_account":
        loaded = impersonated_credentials.Credentials.from_impersonated_service_account_info
        return loaded(document, scopes=_SCOPES)  # type: ignore[no-untyped-call]
    if kind == "service_account":
        return service_account.Credentials.from_service_account_info(document, scopes=_SCOPES)  # type: ignore[no-untyped-call]
    return _stored(document)


def _stored(document: dict[str, Any]) -> Any:
    """Of what a tenant stored: only the secrets are taken from it, the addresses are Google's."""
    kind = document.get("type")
    if kind == "service_account":
        told = {name: document[name] for name in _SERVICE_ACCOUNT if name in document}
        told["token_uri"] = _TOKEN_URI
        return service_account.Credentials.from_service_account_info(told, scopes=_SCOPES)  # type: ignore[no-untyped-call]
    if kind == "authorized_user":
        told = {name: document[name] for name in _USER if name in document}
        return user.Credentials.from_authorized_user_info(told, scopes=_SCOPES)  # type: ignore[no-untyped-call]
    raise SignInRefused(
        f"A document of the type {str(kind)[:64]!r} is not known, or names files and addresses of this machine: then "
        "the operator sets the option `sign_in` to `federated`."
    )
