"""Which identity a provider signs in with, and who may have it so. Pure.

A provider's option ``sign_in`` decides, never what its credential happens to hold:

- ``credential`` (the default): with what is stored for it, and nothing of this machine. A document may hold keys and
  secrets; every address that is asked with them is the cloud's own.
- ``ambient``: as this machine: its instance role, managed identity, metadata server, profile or environment.
- ``federated``: with a document that may name files, programs and addresses of this machine (workload identity).

The latter two give whoever chooses the provider's address the machine's own identity, or what lies on its disk. So
nobody but the platform may set them, and nobody else may change a provider that has one of them.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollway.errors import PermissionDeniedError
from tollway.identity.principal import Principal, Scope
from tollway.json_object import MALFORMED
from tollway.providers.spec import SIGN_IN

CREDENTIAL = "credential"
AMBIENT = "ambient"
FEDERATED = "federated"
_OPTIONS = ("region", "profile", "client_id")
"""Options that change who signs in, or for what."""
_DOCUMENTS = {
    "aws": (("access_key_id", "secret_access_key"),),
    "azure": (("tenant_id", "client_id", "client_secret"), ("tenant_id", "client_id", "certificate")),
    "google": (("type",),),
}
"""Cloud → what a document of it must have: all members of one of these."""
_decode_document = msgspec.json.Decoder(dict[str, Any]).decode


class Identity(msgspec.Struct, frozen=True):
    """With what to sign in: two providers with an equal one share tokens.

    Attributes:
        cloud: ``aws``, ``google`` or ``azure``.
        mode: value of the option ``sign_in``.
        credential: as it is stored. `repr` hides it.
        options: values of those of the provider's that matter, by name.
    """

    cloud: str
    mode: str
    credential: str
    options: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Identity(cloud={self.cloud!r}, mode={self.mode!r})"

    def option(self, name: str) -> str:
        """An option, empty if it is not set."""
        return dict(self.options).get(name, "")

    def document(self) -> dict[str, Any] | None:
        """The credential, if it is a document; ``None`` if it is a plain key, or nothing."""
        if not self.credential.startswith("{"):
            return None
        try:
            return _decode_document(self.credential)
        except MALFORMED:
            return None


def mode_of(options: Mapping[str, str]) -> str:
    """How a provider with these options signs in."""
    return options.get(SIGN_IN, "") or CREDENTIAL


def identity_of(cloud: str, credential: str, options: Mapping[str, str]) -> Identity:
    """The identity of a provider with this credential and these options."""
    mode = mode_of(options)
    told = tuple((name, options[name]) for name in _OPTIONS if options.get(name))
    return Identity(cloud, mode, "" if mode == AMBIENT else credential, told)


def lacking(cloud: str, credential: str) -> str:
    """What a document of a cloud should have and has not, in words; empty if it is whole, or a plain key."""
    document = Identity(cloud, CREDENTIAL, credential).document()
    if document is None or any(all(document.get(name) for name in names) for names in _DOCUMENTS.get(cloud, ((),))):
        return ""
    return " or ".join(", ".join(f"`{name}`" for name in names) for names in _DOCUMENTS[cloud])


def require_sign_in_allowed(caller: Principal | None, *options: Mapping[str, str]) -> None:
    """Refuse what only the platform may do: see this module.

    Args:
        caller: who registers or changes a provider; ``None`` for the installation itself.
        options: of the provider, as they were and as they shall be.

    Raises:
        PermissionDeniedError: one of them signs in as this machine, and the caller is not the platform.
    """
    if caller is None or Scope.PLATFORM in caller.scopes:
        return
    if any(mode_of(each) != CREDENTIAL for each in options):
        raise PermissionDeniedError(
            "A provider that signs in with an identity of this machine needs a key with scope `platform`.",
            next_step="Store a credential of its own, or ask the operator to do it.",
            param=f"options.{SIGN_IN}",
        )
