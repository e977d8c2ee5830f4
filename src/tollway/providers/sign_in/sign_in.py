"""Sign requests in to clouds: one `SignIn` a worker, which keeps what the clouds granted."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec.structs import replace

from tollway.errors import SignInError, SignInMissingError
from tollway.late import import_late
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.sign_in.grant import Grant, SignInMissing, SignInRefused
from tollway.providers.sign_in.identity import AMBIENT, CREDENTIAL, Identity, identity_of
from tollway.providers.sign_in.kept import KeptGrant
from tollway.providers.sign_in.sigv4 import AwsKeys, Signer
from tollway.providers.spec import ProviderSpec
from tollway.routing.catalog import Deployment

_THREADS = 4
_IDENTITIES_MAX = 4_096
"""Kept at the same time; beyond, the oldest is forgotten and asked for again."""
_SERVICE = "bedrock"
_API_KEY_HEADERS = {"aws": ("authorization", "Bearer "), "google": ("x-goog-api-key", ""), "azure": ("api-key", "")}
"""How a plain key is shown, that needs no sign-in."""
_AWS_KEYS = ("access_key_id", "secret_access_key", "session_token")


class _SignedIn(msgspec.Struct):
    """What one identity has. Attributes: kept: what is fetched; signer: of the keys that are there, and those keys."""

    headers: dict[str, str] | None = None
    kept: KeptGrant | None = None
    keys: AwsKeys | None = None
    signer: Signer | None = None


class SignIn:
    """Signs requests in."""

    def __init__(self) -> None:
        self._signed_in: dict[Identity, _SignedIn] = {}
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="sign-in")

    async def authorize(self, request: UpstreamRequest, deployment: Deployment, spec: ProviderSpec) -> UpstreamRequest:
        """The request with what shows who asks: headers of a token, or a signature.

        Nothing is waited for but the first grant of an identity, and one that could not be fetched ahead of time.

        Args:
            request: as the adapter built it.
            deployment: whose credential and options say who asks.
            spec: of the provider; its `auth` is no static one.

        Raises:
            SignInError: the cloud gave nothing, or the credential is none for it.
            SignInMissingError: the extra for this cloud is not installed.
        """
        identity = identity_of(spec.sign_in, deployment.credential, deployment.options)
        found = self._signed_in.get(identity) or self._begin(identity, deployment.name)
        if found.headers is not None:
            return replace(request, headers=request.headers | found.headers)
        if found.kept is not None:
            grant = found.kept.ready() or await _grant(found.kept, identity, deployment.name)
            if grant.keys is None:
                return replace(request, headers=request.headers | {"authorization": f"Bearer {grant.token}"})
            if found.keys is not grant.keys:
                found.keys, found.signer = grant.keys, _signer(grant.keys, identity, deployment.name)
        assert found.signer is not None  # noqa: S101 -- keys came, stored or granted
        added = found.signer.sign(request.url, request.headers, request.body, now_s=time.time())
        return replace(request, headers=request.headers | added)

    def distrust(self, deployment: Deployment, spec: ProviderSpec) -> None:
        """The provider refused who asked: what was granted may have been taken back."""
        found = self._signed_in.get(identity_of(spec.sign_in, deployment.credential, deployment.options))
        if found is not None and found.kept is not None:
            found.kept.distrust()

    def retain(self, asked: Iterable[tuple[Deployment, ProviderSpec]]) -> None:
        """Forget whoever is none of the providers that there are: a credential was rotated or removed."""
        if not self._signed_in:
            return
        present = {
            identity_of(spec.sign_in, credential, deployment.options)
            for deployment, spec in asked
            if spec.sign_in
            for credential in (deployment.credential, *(each.secret for each in deployment.credentials))
        }
        for identity in self._signed_in.keys() - present:
            self._forget(identity)

    def close(self) -> None:
        """Fetch no more."""
        for signed_in in self._signed_in.values():
            if signed_in.kept is not None:
                signed_in.kept.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self, identity: Identity, provider: str) -> _SignedIn:
        signed_in = self._signed_in_of(identity, provider)
        if len(self._signed_in) >= _IDENTITIES_MAX:
            self._forget(next(iter(self._signed_in)))
        self._signed_in[identity] = signed_in
        return signed_in

    def _forget(self, identity: Identity) -> None:
        forgotten = self._signed_in.pop(identity)
        if forgotten.kept is not None:
            forgotten.kept.retire()

    def _signed_in_of(self, identity: Identity, provider: str) -> _SignedIn:
        document = identity.document()
        if identity.mode != AMBIENT and document is None:
            if not identity.credential:
                raise _no_credential(provider)
            name, prefix = _API_KEY_HEADERS[identity.cloud]
            return _SignedIn(headers={name: prefix + identity.credential})
        if identity.cloud == "aws" and document is not None and identity.mode == CREDENTIAL:
            keys = _stored_keys(document, provider)
            return _SignedIn(keys=keys, signer=_signer(keys, identity, provider))
        return _SignedIn(kept=KeptGrant(_Fetch(identity), self._executor, name=f"{identity.cloud} {provider}"))


async def _grant(kept: KeptGrant, identity: Identity, provider: str) -> Grant:
    try:
        return await kept.get()
    except SignInMissing as missing:
        raise SignInMissingError(
            f"Tollway was installed without what signs in to the cloud of provider {provider!r}.",
            next_step=f"The operator installs it: `pip install 'tollway[{identity.cloud}]'`.",
        ) from missing
    except SignInRefused as refusal:
        raise SignInError(
            f"Tollway could not sign in to provider {provider!r}: its cloud gave no token or keys.",
            next_step="An administrator checks the provider's credential; the server's log has the reason.",
        ) from refusal


class _Fetch:
    """Asks the cloud, in a thread, with its library: imported late, see `tollway.late`."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._fetch: Callable[[], Grant] | None = None

    def __call__(self) -> Grant:
        """A grant.

        Raises:
            SignInRefused: there is none.
        """
        if self._fetch is None:
            cloud = self._identity.cloud
            try:
                module = import_late(f"tollway.providers.sign_in.{cloud}")
            except ImportError as error:
                raise SignInMissing(f"The library is missing: {error}") from error
            self._fetch = module.fetcher(self._identity)
        return self._fetch()


def _stored_keys(document: dict[str, object], provider: str) -> AwsKeys:
    found = [value for name in _AWS_KEYS if isinstance(value := document.get(name, ""), str)]
    if len(found) != len(_AWS_KEYS) or not (found[0] and found[1]):
        raise SignInError(
            f"The credential of provider {provider!r} is a document without keys of AWS.",
            next_step='An administrator stores `{"access_key_id": …, "secret_access_key": …}`, or a key of Bedrock.',
        )
    return AwsKeys(*found)


def _signer(keys: AwsKeys, identity: Identity, provider: str) -> Signer:
    region = identity.option("region")
    if not region:
        raise SignInError(
            f"Provider {provider!r} has no region, for which its requests would be signed.",
            next_step="An administrator sets its option `region`.",
        )
    return Signer(keys, region=region, service=_SERVICE)


def _no_credential(provider: str) -> SignInError:
    return SignInError(
        f"Provider {provider!r} has no credential to sign in with.",
        next_step="An administrator stores one, or the operator sets its option `sign_in` to `ambient`.",
    )
