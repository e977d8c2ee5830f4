"""The one pipeline of all surfaces: authenticate → read → plan → hold → journal → attempt → rate → journal.

Nothing here asks PostgreSQL unless a key was never seen before, or the leased part of a budget or limit is used up. The
entry of a request is written before its caller has the last byte, whatever happens to the caller, the provider or this
worker.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tollway.errors import (
    InternalError,
    ModelNotFoundError,
    ModelNotPricedError,
    TollwayError,
    UpstreamMalformedError,
)
from tollway.identity.principal import Principal, Scope
from tollway.ledger.entry import Outcome, UsageSource
from tollway.ledger.money import usd_text
from tollway.providers.transport import Transport, Upstream
from tollway.routing.call import Call
from tollway.services.authenticate import Authenticator, require_scope
from tollway.services.inference.ending import estimate, settle_failed, settle_left
from tollway.services.inference.exchange import Caller, Exchange, Inbound
from tollway.services.inference.hold import Places
from tollway.services.inference.holder import Holder
from tollway.services.inference.plan import plan
from tollway.services.inference.quota_headers import quota_headers
from tollway.services.inference.record import Recorder
from tollway.services.inference.reply_headers import error_reply, is_stream, reply_headers
from tollway.services.inference.stream_relay import relay_stream
from tollway.services.live_catalog import LiveCatalog

_OK_BELOW = 300


class Pipeline:
    """Runs requests. One a worker."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        live: LiveCatalog,
        transport: Transport,
        recorder: Recorder,
        places: Places,
        holder: Holder,
        max_reply_bytes: int,
        durable: Callable[[], Awaitable[None]] | None,
    ) -> None:
        """Args: durable: waits until the journal is on disk; ``None`` where a written entry is enough."""
        self._authenticator = authenticator
        self._live = live
        self._transport = transport
        self._recorder = recorder
        self._places = places
        self._holder = holder
        self._max_reply_bytes = max_reply_bytes
        self._durable = durable

    async def run(self, inbound: Inbound, caller: Caller) -> None:
        """Serve one request from its key to its last byte.

        Raises:
            TollwayError: it was refused, or failed before the caller had a status.
            asyncio.CancelledError: the caller left or the worker stops; the entry is written.
        """
        principal = self._authenticator.cached(inbound.key) or await self._authenticator.authenticate(inbound.key)
        require_scope(principal, Scope.INFERENCE)
        with self._places:
            call = inbound.parse(await caller.read_body())
            exchange = await self._plan(inbound, principal, call)
            try:
                await self._holder.hold(exchange)
                self._recorder.open(exchange)
                await self._serve(exchange, caller)
            except TollwayError as error:
                error.headers += tuple(
                    (name.decode(), value.decode()) for name, value in quota_headers(exchange.claims)
                )
                raise
            finally:
                if exchange.claims is not None:
                    exchange.claims.abandon()  # nothing, if the recorder has settled it

    async def _plan(self, inbound: Inbound, principal: Principal, call: Call) -> Exchange:
        try:
            return plan(inbound, principal, call, self._live)
        except (ModelNotFoundError, ModelNotPricedError):
            if not await self._live.catch_up():
                raise
        return plan(inbound, principal, call, self._live)

    async def _serve(self, exchange: Exchange, caller: Caller) -> None:
        """Attempt it, and see to it that there is an entry whatever comes of it."""
        try:
            await self._attempt(exchange, caller)
        except asyncio.CancelledError:
            if not exchange.settled:  # asked first: an estimate costs time, and a relayed stream has its entry
                settle_left(self._recorder, exchange, caller, estimate(exchange, []), UsageSource.ESTIMATED)
            raise
        except TollwayError as error:
            settle_failed(self._recorder, exchange, error)
            raise
        except Exception as error:  # a defect of ours must not lose the entry of a request that went upstream
            fault = InternalError("Tollway failed to serve this request.", next_step="Report it with its request id.")
            settle_failed(self._recorder, exchange, fault)
            raise fault from error

    async def _attempt(self, exchange: Exchange, caller: Caller) -> None:
        """Ask the provider and answer the caller."""
        target = exchange.target
        request = target.adapter.build_request(
            exchange.call,
            surface=exchange.inbound.surface,
            deployment=target.deployment,
            spec=target.spec,
            model=target.model,
            bounded=exchange.claims is not None and exchange.claims.terms.bounded,
            output_tokens=exchange.claims.demand.sent_output_tokens if exchange.claims is not None else 0,
        )
        exchange.dropped = request.dropped
        async with self._transport.post(
            request.url,
            headers=request.headers,
            body=request.body,
            provider=target.deployment.name,
            public_only=target.deployment.public_only,
        ) as upstream:
            exchange.status = upstream.status
            if upstream.status < _OK_BELOW and exchange.call.stream and is_stream(upstream, target.adapter.streams_as):
                await caller.start(upstream.status, reply_headers(exchange, upstream))
                await relay_stream(exchange, upstream, caller, recorder=self._recorder, durable=self._durable)
                return
            body = await upstream.read_all(self._max_reply_bytes)
        if upstream.status < _OK_BELOW:
            await self._relay_reply(exchange, upstream, body, caller)
        else:
            await self._relay_error(exchange, upstream, body, caller)

    async def _relay_reply(self, exchange: Exchange, upstream: Upstream, body: bytes, caller: Caller) -> None:
        """A whole reply: rate it, journal it, pass its bytes."""
        adapter = exchange.target.adapter
        answer = adapter.parse_reply(body, spec=exchange.target.spec)
        if answer is None:
            raise UpstreamMalformedError(
                f"Provider {exchange.target.deployment.name!r} answered with something that is not a JSON object.",
                next_step="Try again; if it lasts, the operator checks the provider's address.",
            )
        source, told = UsageSource.PROVIDER, body if answer.body is None else answer.body
        if answer.usage is None:
            source = UsageSource.ESTIMATED
            answer = estimate(exchange, adapter.reply_texts(body), model=answer.model)
        exchange.end_attempt(upstream.status, "")
        exchange.passed(len(told))
        entry = self._recorder.settle(
            exchange, outcome=Outcome.OK, status=upstream.status, answer=answer, source=source
        )
        if self._durable is not None:
            await self._durable()
        headers = reply_headers(exchange, upstream, cost=usd_text(entry.charge), length=len(told))
        await caller.start(upstream.status, headers)
        await caller.finish(told)

    async def _relay_error(self, exchange: Exchange, upstream: Upstream, body: bytes, caller: Caller) -> None:
        """The provider refused: its status and its words go to the caller."""
        exchange.end_attempt(upstream.status, "upstream_error")
        status, body = error_reply(exchange, upstream, body)
        exchange.passed(len(body))
        self._recorder.settle(exchange, outcome=Outcome.UPSTREAM_ERROR, status=status, error="upstream_error")
        await caller.start(status, reply_headers(exchange, upstream, cost="0", length=len(body), failed=True))
        await caller.finish(body)
