"""Ask a provider for what it keeps: files and batches, outside of the pipeline, since no model is asked."""

import msgspec

from tollway.errors import (
    InvalidRequestError,
    NotSupportedByProviderError,
    ProviderSealedError,
    UpstreamError,
    UpstreamMalformedError,
)
from tollway.identity.principal import Principal
from tollway.providers.auth import STATIC, without_secrets
from tollway.providers.openai_compatible import error
from tollway.providers.openai_compatible.stored_objects import StoredObject, object_request, read_object
from tollway.providers.registry import OPENAI_COMPATIBLE, REGISTRY, ProviderSpec
from tollway.providers.sign_in.sign_in import SignIn
from tollway.providers.transport import Transport
from tollway.routing.catalog import Deployment
from tollway.services.live_catalog import LiveCatalog

HEADER = "x-tollway-provider"
"""By which a caller names the provider, where no model does."""
_OK = range(200, 300)
_REDIRECTS = range(300, 400)
_JSON = "application/json"


class ObjectReply(msgspec.Struct, frozen=True):
    """What a provider said. Attributes: told: of a file or batch, where it is one."""

    status: int
    body: bytes
    content_type: str = _JSON
    told: StoredObject | None = None

    @property
    def ok(self) -> bool:
        """Whether it is no refusal."""
        return self.status in _OK


class ObjectExchange:
    """Asks providers."""

    def __init__(self, live: LiveCatalog, transport: Transport, sign_in: SignIn, *, max_reply_bytes: int) -> None:
        self._live = live
        self._transport = transport
        self._sign_in = sign_in
        self._max_reply_bytes = max_reply_bytes

    def choose(self, principal: Principal, surface: str, named: str) -> Deployment:
        """The provider that is asked.

        Args:
            principal: the caller.
            surface: ``files`` or ``batches``.
            named: what the header says; empty if there is none.

        Raises:
            InvalidRequestError: several could be meant.
            NotSupportedByProviderError: none has it, or the one that is named has not.
        """
        mine = [
            each for (owner, _), each in self._live.catalog.deployments.items() if owner == principal.organization_id
        ]
        able = [each for each in mine if surface in spec_of(each).surfaces and named in {"", each.name}]
        if not able:
            who = f"The provider {named[:64]!r}" if named else "No provider of this organization"
            raise NotSupportedByProviderError(
                f"{who} has nothing like `/v1/{surface}`.", next_step=f"Name another one in the header `{HEADER}`."
            )
        if len(able) > 1:
            names = ", ".join(sorted(each.name for each in able))
            raise InvalidRequestError(
                f"Several providers have `/v1/{surface}`: {names}.", next_step=f"Name one in the header `{HEADER}`."
            )
        return _opened(able[0])

    def at(self, provider_id: str) -> Deployment:
        """The provider that keeps an object.

        Raises:
            NotSupportedByProviderError: it is not there any more.
        """
        found = self._live.catalog.deployments.values()
        for each in found:
            if each.provider_id == provider_id:
                return _opened(each)
        raise NotSupportedByProviderError("The provider that kept this is not there any more.")

    async def ask(
        self, deployment: Deployment, method: str, *path: str, body: bytes = b"", content_type: str = ""
    ) -> ObjectReply:
        """Ask for what lies at a path.

        Raises:
            UpstreamError, SignInError: it could not be asked.
        """
        spec = spec_of(deployment)
        request = object_request(deployment, spec, path, body, content_type)
        if spec.sign_in and spec.auth_for(deployment) not in STATIC:
            request = await self._sign_in.authorize(request, deployment, spec)
        upstream = self._transport.post(
            request.url,
            headers=request.headers,
            body=request.body,
            provider=deployment.name,
            public_only=deployment.public_only,
            method=method,
        )
        async with upstream:
            reply = await upstream.read_all(self._max_reply_bytes)
        if upstream.status in _REDIRECTS:
            raise UpstreamError(
                f"Provider {deployment.name!r} answered with a redirect ({upstream.status}), which is not followed."
            )
        if upstream.status not in _OK:
            reply = without_secrets(reply, request.headers)
            failure = error.classify(upstream.status, upstream.headers, reply)
            return ObjectReply(upstream.status, error.enveloped(failure, reply, provider=deployment.name))
        types = [value for name, value in upstream.headers if name == "content-type"]
        return ObjectReply(upstream.status, reply, types[0] if types else "application/octet-stream")

    async def ask_object(
        self, deployment: Deployment, method: str, *path: str, body: bytes = b"", content_type: str = ""
    ) -> ObjectReply:
        """Ask for a file or batch itself.

        Raises:
            UpstreamMalformedError: the answer is neither one nor a refusal.
            UpstreamError, SignInError: it could not be asked.
        """
        reply = await self.ask(deployment, method, *path, body=body, content_type=content_type)
        if not reply.ok:
            return reply
        told = read_object(reply.body)
        if told is None:
            raise UpstreamMalformedError(f"Provider {deployment.name!r} answered with something that is no object.")
        return ObjectReply(reply.status, reply.body, _JSON, told)


def spec_of(deployment: Deployment) -> ProviderSpec:
    """What is true of a provider."""
    return REGISTRY.get(deployment.spec, OPENAI_COMPATIBLE)


def _opened(deployment: Deployment) -> Deployment:
    if deployment.sealed:
        raise ProviderSealedError(
            f"The stored credential of provider {deployment.name!r} cannot be opened with this master key.",
            next_step="An administrator sends it again.",
        )
    return deployment
