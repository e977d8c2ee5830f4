"""Access tokens of Microsoft Entra ID for Azure OpenAI.

They are of an application with a secret or a certificate, or of this machine: workload identity of a pod, else managed
identity.
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/managed-identity
"""

import os
from collections.abc import Callable
from typing import Any, Protocol

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from tollway.providers.sign_in.grant import Grant, refused
from tollway.providers.sign_in.identity import AMBIENT, FEDERATED, Identity

_SCOPE = "https://cognitiveservices.azure.com/.default"
_AUTHORITIES = {
    "public": "login.microsoftonline.com",
    "us_government": "login.microsoftonline.us",
    "china": "login.partner.microsoftonline.cn",
}
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 1}
_TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 -- the name of a variable


class _Credential(Protocol):
    def get_token(self, *scopes: str) -> AccessToken:
        """A token."""
        ...


def fetcher(identity: Identity) -> Callable[[], Grant]:
    """What fetches a token, in a thread."""

    def fetch() -> Grant:
        try:
            token = _credential(identity).get_token(_SCOPE)
        except (AzureError, OSError, ValueError, KeyError) as error:
            raise refused(error, identity) from error
        return Grant(float(token.expires_on), token=token.token)

    return fetch


def _credential(identity: Identity) -> _Credential:
    """A new one each time: the library's own cache would give the old token again."""
    if identity.mode == AMBIENT:
        kind = WorkloadIdentityCredential if os.environ.get(_TOKEN_FILE) else ManagedIdentityCredential
        return kind(client_id=identity.option("client_id") or None, **_TIMEOUTS)
    document = identity.document() or {}
    settings = dict(_TIMEOUTS)
    if identity.mode == FEDERATED:
        settings |= {"authority": document["authority"], "disable_instance_discovery": True}
    else:
        settings["authority"] = _AUTHORITIES[document.get("cloud", "public")]
    tenant, client_id = str(document["tenant_id"]), str(document["client_id"])
    if "certificate" in document:
        pem = str(document["certificate"]).encode()
        password = document.get("certificate_password")
        return CertificateCredential(tenant, client_id, certificate_data=pem, password=password, **settings)
    return ClientSecretCredential(tenant, client_id, str(document["client_secret"]), **settings)
