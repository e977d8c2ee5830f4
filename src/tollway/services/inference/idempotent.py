"""Requests with an ``Idempotency-Key``: run once through the one pipeline, then answered with the same bytes.

The outcome is stored before the caller has the last byte. So a caller that has it all needs no replay, and one that has
not gets one; whenever the worker dies in between, either the outcome is there or the claim is freed with the worker.
A caller that leaves does not stop its request: it is about to ask again.
"""

import re
from hashlib import sha256

import msgspec

from tollway.data.idempotency import Claim, Outcome
from tollway.errors import InvalidRequestError
from tollway.identity.principal import Scope
from tollway.ids import uuid7
from tollway.services.authenticate import Authenticator, require_scope
from tollway.services.idempotency_claims import IdempotencyClaims
from tollway.services.inference.dialogues import Dialogues
from tollway.services.inference.exchange import Caller, Headers, Inbound
from tollway.services.inference.passing import Remembering
from tollway.services.inference.places import Places

_KEY = re.compile(rb"[\x20-\x7e]{1,255}")
_OK = range(200, 300)
_FINAL_STATUSES = frozenset({400, 413, 415, 422})
"""The provider judged the request itself. Other refusals depend on its state or ours and cost nothing, so that a retry
asks again: a model that was missing, a credential that was wrong, a limit that was reached."""


class Idempotent:
    """The way into the pipeline for requests with an idempotency key."""

    def __init__(
        self,
        *,
        pipeline: Dialogues,
        authenticator: Authenticator,
        places: Places,
        claims: IdempotencyClaims,
        max_bytes: int,
    ) -> None:
        """Args: max_bytes: largest reply that is kept."""
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._places = places
        self._claims = claims
        self._max_bytes = max_bytes

    async def run(self, inbound: Inbound, idempotency_key: bytes, caller: Caller) -> int | None:
        """Serve one request, or replay what it was answered before.

        Returns:
            The status that was replayed; ``None`` if the request ran.

        Raises:
            InvalidRequestError: the idempotency key cannot be used.
            IdempotencyError, IdempotencyRunningError, IdempotencyLostError: see `IdempotencyClaims.take`.
            TollwayError, asyncio.CancelledError: as `Pipeline.run`; then nothing is kept.
        """
        if not _KEY.fullmatch(idempotency_key):
            raise InvalidRequestError("`idempotency-key` must be 1 to 255 printable ASCII characters.")
        principal = self._authenticator.cached(inbound.key) or await self._authenticator.authenticate(inbound.key)
        require_scope(principal, Scope.INFERENCE)
        if not inbound.own_id:
            inbound = msgspec.structs.replace(inbound, own_id=uuid7())
        with self._places:
            body = await caller.read_body()
            caller.unwatch()
            digest = sha256(idempotency_key).digest()
            same = _without_boundary(body) if inbound.surface.form else body
            body_digest = sha256(b"%b\n%b" % (inbound.surface.path.encode(), same)).digest()
            key_id = principal.origin_id or principal.key_id  # a retry may come with the key's successor
            claim = Claim(key_id, digest, body_digest, inbound.own_id)
            outcome = await self._claims.take(claim, organization_id=principal.organization_id)
        if outcome is not None:
            await _replay(outcome, caller)
            return outcome.status
        await self._run(inbound, claim, _Recording(caller, body, claim, self._claims, self._max_bytes))
        return None

    async def _run(self, inbound: Inbound, claim: Claim, recording: "_Recording") -> None:
        try:
            await self._pipeline.run(inbound, recording)
        finally:
            if not recording.ended:
                await self._claims.release(claim)


class _Recording(Remembering):
    """The caller as the pipeline sees it: it has the last byte once the outcome is stored."""

    def __init__(self, caller: Caller, body: bytes, claim: Claim, claims: IdempotencyClaims, max_bytes: int) -> None:
        super().__init__(caller, max_bytes, body)
        self._claim = claim
        self._claims = claims
        self._headers: tuple[tuple[str, str], ...] = ()
        self.ended = False

    def unwatch(self) -> None:
        """Nobody watches."""

    async def start(self, status: int, headers: Headers) -> None:
        """Pass on the status and headers."""
        self._headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        await super().start(status, headers)

    async def finish(self, data: bytes, *, whole: bool = True) -> None:
        """Pass on the last part of the body, once the outcome is stored."""
        self.remember(data)
        self.ended = True
        if (whole and self.status in _OK) or self.status in _FINAL_STATUSES:
            await self._claims.keep(self._claim, Outcome(self.status, self._headers, self.body))
        else:
            await self._claims.release(self._claim)
        await self._caller.finish(data, whole=whole)


async def _replay(outcome: Outcome, caller: Caller) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in outcome.headers]
    await caller.start(outcome.status, [*headers, (b"x-tollway-replayed", b"true")])
    await caller.finish(outcome.body or b"")


def _without_boundary(body: bytes) -> bytes:
    """A form without what separates its parts: HTTP clients make that up anew when they send the same form again."""
    boundary, end, _ = body.partition(b"\r\n")
    return body.replace(boundary, b"--") if end and boundary.startswith(b"--") else body
