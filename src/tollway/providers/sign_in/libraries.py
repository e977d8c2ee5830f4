"""The clouds' own libraries, which extras of Tollway bring."""

import importlib.util
from collections.abc import Mapping

from tollway.providers.auth import Auth
from tollway.providers.sign_in.identity import CREDENTIAL, mode_of
from tollway.providers.spec import ProviderSpec

LIBRARIES = {"aws": "botocore", "azure": "azure.identity", "google": "google.auth"}
"""Cloud, which is the name of the extra too → the module that signs in to it."""


def missing_library(spec: ProviderSpec, options: Mapping[str, str]) -> str | None:
    """The cloud whose extra a provider needs for its sign-in and this machine does not have; ``None``: nothing is.

    A key of AWS that is stored signs without a library; whether another cloud's credential is a plain key or a document
    is not known here, so it counts as the kind's usual one.
    """
    needed = mode_of(options) != CREDENTIAL or (spec.auth is Auth.OAUTH)
    if not spec.sign_in or not needed or _is_installed(LIBRARIES[spec.sign_in]):
        return None
    return spec.sign_in


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
