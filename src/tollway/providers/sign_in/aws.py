"""Keys of AWS that botocore finds on this machine.

They are in the environment, a profile, a web identity (IRSA), a container's endpoint, or the instance role.
https://docs.aws.amazon.com/boto3/latest/guide/credentials.html
"""

import time
from collections.abc import Callable

import botocore.exceptions
import botocore.session
from botocore.credentials import Credentials, RefreshableCredentials

from tollway.providers.sign_in.grant import Grant, SignInRefused, refused
from tollway.providers.sign_in.identity import Identity
from tollway.providers.sign_in.sigv4 import AwsKeys

_ASKED_EVERY_S = 300.0
"""botocore refreshes keys 15 minutes before they expire, and fails 10 minutes before: asked this often, those at hand
are always valid."""


def fetcher(identity: Identity) -> Callable[[], Grant]:
    """What fetches keys, in a thread. botocore's own credentials are kept, because it refreshes them itself."""
    found: list[Credentials] = []

    def fetch() -> Grant:
        try:
            if not found or not isinstance(found[0], RefreshableCredentials):  # plain keys may have been replaced
                found[:] = [_find(identity.option("profile"))]
            frozen = found[0].get_frozen_credentials()
        except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
            raise refused(error, identity) from error
        keys = AwsKeys(frozen.access_key, frozen.secret_key, frozen.token or "")
        return Grant(time.time() + _ASKED_EVERY_S, keys=keys)

    return fetch


def _find(profile: str) -> Credentials:
    session = botocore.session.Session(profile=profile or None)
    found = session.get_credentials()
    if found is None:
        raise SignInRefused("Neither environment, profile, web identity, container nor instance role has AWS keys.")
    return found
