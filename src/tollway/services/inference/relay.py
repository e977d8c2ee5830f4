"""Give the caller what a provider answered: rated and journaled before the last byte goes out."""

from collections.abc import Awaitable, Callable

from tollway.errors import UpstreamError
from tollway.ledger.entry import Outcome, UsageSource
from tollway.ledger.money import usd_text
from tollway.providers.adapter import Answer
from tollway.routing.failure import Failure
from tollway.services.inference.ask import Reply
from tollway.services.inference.ending import estimate, may_be_billed
from tollway.services.inference.exchange import Caller, Exchange
from tollway.services.inference.flow import flow
from tollway.services.inference.record import Recorder
from tollway.services.inference.reply_headers import error_reply, reply_headers

_OK, _BY_PROVIDER = Outcome.OK, UsageSource.PROVIDER  # naming a member of an enum takes 0.2 µs


class Relay:
    """Passes replies on."""

    def __init__(self, recorder: Recorder, durable: Callable[[], Awaitable[None]] | None) -> None:
        """Args: durable: waits until the journal is on disk; ``None`` where a written entry is enough."""
        self._recorder = recorder
        self._durable = durable

    async def whole(self, exchange: Exchange, reply: Reply, answer: Answer, caller: Caller) -> UpstreamError | None:
        """A whole reply: rate it, journal it, pass its bytes.

        Returns:
            What it was cut by on its way, if it was.
        """
        source, told = _BY_PROVIDER, reply.body if answer.body is None else answer.body
        if answer.usage is None:
            source = UsageSource.ESTIMATED
            answer = estimate(exchange, exchange.target.adapter.reply_texts(reply.body), model=answer.model)
        status = reply.upstream.status
        if reply.flows_bytes:
            return await flow(
                exchange, reply, answer, caller, recorder=self._recorder, durable=self._durable, source=source
            )
        exchange.end_attempt(status, "")
        exchange.passed(len(told))
        entry = self._recorder.settle(exchange, outcome=_OK, status=status, answer=answer, source=source)
        if self._durable is not None:
            await self._durable()
        headers = reply_headers(exchange, reply.upstream, cost=usd_text(entry.charge), length=len(told))
        await caller.start(status, headers)
        await caller.finish(told)
        return None

    async def refusal(self, exchange: Exchange, reply: Reply, failure: Failure, caller: Caller) -> None:
        """The provider refused: its status and its words go to the caller."""
        billed = exchange.attempting and may_be_billed(exchange, None)
        exchange.end_attempt(reply.upstream.status, "upstream_error")
        status, body = error_reply(exchange, failure, reply.body)
        exchange.passed(len(body))
        entry = self._recorder.settle(
            exchange,
            outcome=Outcome.UPSTREAM_ERROR,
            status=status,
            error="upstream_error",
            answer=estimate(exchange, []) if billed else None,
            source=UsageSource.ESTIMATED if billed else UsageSource.NONE,
        )
        cost = usd_text(entry.charge)
        headers = reply_headers(exchange, reply.upstream, cost=cost, length=len(body), failed=True)
        await caller.start(status, headers)
        await caller.finish(body)
