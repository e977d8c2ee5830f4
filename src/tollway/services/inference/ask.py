"""One attempt, up to the point where the caller can be told something: the caller knows nothing of it yet."""

import asyncio
import math
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from tollway.errors import (
    InvalidRequestError,
    SignInError,
    SignInMissingError,
    TollwayError,
    UnsupportedFieldError,
    UpstreamMalformedError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)
from tollway.providers.adapter import Answer, StreamReader, UpstreamRequest
from tollway.providers.auth import STATIC, without_secrets
from tollway.providers.failure import status_told
from tollway.providers.sign_in.sign_in import SignIn
from tollway.providers.transport import Transport, Upstream
from tollway.routing.failure import Failure, FailureKind
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.own_answer import OwnAnswer
from tollway.services.inference.reply_headers import is_stream

_OK = range(200, 300)
_SOUNDS = ("audio/", "application/octet-stream")
_KINDS: tuple[tuple[type[TollwayError], FailureKind], ...] = (
    (SignInError, FailureKind.CREDENTIAL),
    (SignInMissingError, FailureKind.CREDENTIAL),
    (UpstreamUnreachableError, FailureKind.CONNECTION),
    (UpstreamTimeoutError, FailureKind.TIMEOUT),
    (UpstreamMalformedError, FailureKind.CUT),
    (UpstreamTooLargeError, FailureKind.INVALID),
    (UnsupportedFieldError, FailureKind.NOT_FOUND),
    (InvalidRequestError, FailureKind.INVALID),
)


class Reply:
    """What a provider answered.

    Attributes:
        upstream: its reply.
        body: the whole of it; empty for a stream.
        answer: what it says, ``None`` for a stream or a refusal.
        reader: reads the stream that goes on, ``None`` for what is whole.
        shown: headers in which the provider was shown a credential.
        first: the first events of the stream, if they were waited for.
        flows_bytes: 0 if `body` is all there is; else it is the beginning of a whole reply, which may have so many
            bytes; the rest is to be read, and the reply must be closed.
        failure: why it is no answer, ``None`` if it is one.
        waited_us: microseconds until it began, or was whole.
    """

    __slots__ = ("answer", "body", "failure", "first", "flows_bytes", "reader", "shown", "upstream", "waited_us")

    def __init__(self, upstream: Upstream, shown: Mapping[str, str]) -> None:
        self.upstream = upstream
        self.shown = shown
        self.body = self.first = b""
        self.answer: Answer | None = None
        self.reader: StreamReader | None = None
        self.failure: Failure | None = None
        self.flows_bytes = 0
        self.waited_us = 0


class Asker:
    """Asks providers."""

    def __init__(self, transport: Transport, sign_in: SignIn, counting: FairThread, *, max_reply_bytes: int) -> None:
        self._transport = transport
        self._sign_in = sign_in
        self._counting = counting
        self._max_reply_bytes = max_reply_bytes

    def ask(self, exchange: Exchange, *, wait: bool, timeout_s: float = math.inf) -> Coroutine[Any, Any, Reply]:
        """Ask the present target. A reply with a `reader` must be closed.

        Args:
            exchange: the request.
            wait: whether to wait for the first events of a stream, so that its failing before is noticed.
            timeout_s: how long the provider may take to begin, or to give a whole reply.

        Raises:
            UpstreamError: it could not be asked, or the reply is unusable.
            UnsupportedFieldError, InvalidRequestError: it cannot be asked for this.
        """
        if timeout_s == math.inf:
            return self._ask(exchange, wait=wait)
        return self._ask_within(exchange, wait=wait, timeout_s=timeout_s)

    async def _ask_within(self, exchange: Exchange, *, wait: bool, timeout_s: float) -> Reply:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(exchange, wait=wait)
        except TimeoutError as error:
            raise UpstreamTimeoutError(
                f"Provider {exchange.target.deployment.name!r} did not begin to answer within {timeout_s:g} s.",
                next_step="Try again, or allow more: `x-tollway-timeout`, and the route's `attempt_timeout_s`.",
            ) from error

    async def _ask(self, exchange: Exchange, *, wait: bool) -> Reply:
        target = exchange.target
        request = self._request(exchange)
        if target.spec.sign_in and target.spec.auth_for(target.deployment) not in STATIC:
            request = await self._sign_in.authorize(request, target.deployment, target.spec)
        upstream = self._upstream(exchange, request)
        await upstream.send()
        try:
            exchange.status = upstream.status
            reply = Reply(upstream, request.headers)
            adapter = target.adapter
            if upstream.status in _OK and exchange.call.stream and is_stream(upstream, adapter.streams_as):
                reply.reader = adapter.stream_reader(exchange.call, spec=target.spec)
                if wait:
                    await _begin(reply)
                reply.waited_us = exchange.attempt_us()
                return reply
            if exchange.inbound.surface.flows and _is_sound(exchange, upstream):
                upstream.check_size(upstream.length or 0, self._max_reply_bytes)
                reply.body = await upstream.read() or b""
                reply.waited_us = exchange.attempt_us()
                self._read(exchange, reply)
                reply.flows_bytes = self._max_reply_bytes
                return reply
            reply.body = await upstream.read_all(self._max_reply_bytes)
            if upstream.status not in _OK:
                reply.body = without_secrets(reply.body, request.headers)
        except BaseException:  # cancelled or failed: given back, then raised again
            upstream.close()
            raise
        upstream.close()
        reply.waited_us = exchange.attempt_us()
        self._read(exchange, reply)
        return reply

    def _request(self, exchange: Exchange) -> UpstreamRequest:
        target, claims = exchange.target, exchange.claims
        request = target.adapter.build_request(
            exchange.call,
            surface=exchange.inbound.surface,
            deployment=target.deployment,
            spec=target.spec,
            model=target.model,
            output_tokens=claims.demand.sent_output_tokens if claims is not None else 0,
        )
        exchange.dropped = request.dropped
        return request

    def _upstream(self, exchange: Exchange, request: UpstreamRequest) -> Upstream:
        if request.made is not None:
            return OwnAnswer(partial(self._counting.run, exchange.principal.organization_id, request.made))
        deployment = exchange.target.deployment
        return self._transport.post(
            request.url,
            headers=request.headers,
            body=request.body,
            provider=deployment.name,
            public_only=deployment.public_only,
            timeout_s=exchange.left_s(),
        )

    def _read(self, exchange: Exchange, reply: Reply) -> None:
        """Find out what a whole reply is."""
        target, upstream, status = exchange.target, reply.upstream, reply.upstream.status
        if status in _OK:
            answer = reply.answer = target.adapter.parse_reply(reply.body, spec=target.spec)
            if answer is not None and (answer.usage is not None or answer.body is not None):
                return
            reply.body = without_secrets(reply.body, reply.shown)  # some tell an error so
            status = status_told(reply.body)
            if not status and answer is not None:
                return
            if not status:
                raise UpstreamMalformedError(
                    f"Provider {target.deployment.name!r} answered with something that is not a JSON object.",
                    next_step="Try again; if it lasts, the operator checks the provider's address.",
                )
        reply.failure = target.adapter.classify_failure(status, upstream.headers, reply.body)
        if target.spec.sign_in and reply.failure.kind is FailureKind.CREDENTIAL:
            self._sign_in.distrust(target.deployment, target.spec)


def _is_sound(exchange: Exchange, upstream: Upstream) -> bool:
    """Whether the reply is neither a refusal nor text, nor one of two that are waited for."""
    if upstream.status not in _OK or exchange.route.hedge is not None:
        return False
    types = [value.lower() for name, value in upstream.headers if name == "content-type"]
    return any(each.startswith(_SOUNDS) for each in types)


async def _begin(reply: Reply) -> None:
    """Read until there is something to pass on."""
    reader = reply.reader
    assert reader is not None  # noqa: S101 -- only called for streams
    while not reply.first and not reader.done:
        chunk = await reply.upstream.read()
        if chunk is None:
            reader.finish()
            break
        reply.first = reader.feed(chunk)
    if reader.failed:
        reply.first = without_secrets(reply.first, reply.shown)
        reply.failure = Failure(FailureKind.SERVER, reply.upstream.status, "The stream began with an error.")


def failure_of(error: TollwayError) -> Failure:
    """What a fault means for what comes next."""
    kind = next((kind for type_, kind in _KINDS if isinstance(error, type_)), FailureKind.SERVER)
    return Failure(kind, 0, error.message)
