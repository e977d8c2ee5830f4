"""Ask one deployment after the other until one answers; the caller notices nothing but the time it takes."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable

import msgspec

from tollway.errors import (
    InvalidRequestError,
    StreamCutError,
    TollwayError,
    UnsupportedFieldError,
    UpstreamCutError,
    UpstreamError,
)
from tollway.providers.adapter import Answer, StreamReader
from tollway.routing.breaker import rest_s
from tollway.routing.call import Call
from tollway.routing.failure import Failure, FailureKind
from tollway.routing.resolve import Candidate
from tollway.routing.retry import Move, RetryBudgets, back_off_s, moves
from tollway.services.inference.ask import Asker, Reply, failure_of
from tollway.services.inference.ending import estimate, may_be_billed
from tollway.services.inference.exchange import Caller, Exchange, Target
from tollway.services.inference.hedge import Hedger
from tollway.services.inference.holder import Holder
from tollway.services.inference.planner import Planner
from tollway.services.inference.record import Recorder
from tollway.services.inference.relay import Relay
from tollway.services.inference.reply_headers import reply_headers
from tollway.services.inference.stream_relay import Ended, cut_error, relay_stream
from tollway.services.live_health import LiveHealth


class Failed(msgspec.Struct, frozen=True, gc=False):
    """An attempt that came to nothing, and of which the caller knows nothing.

    Attributes:
        failure: why.
        error: what to raise, if nothing else is done.
        reply: or what to tell the caller.
    """

    failure: Failure
    error: TollwayError | None = None
    reply: Reply | None = None


def _any(_: Target) -> bool:
    return True


def _larger_than(present: Target) -> Callable[[Target], bool]:
    """Whether a target has a larger window than the present one, or may have."""
    window = present.context_tokens
    return lambda target: not window or not target.context_tokens or target.context_tokens > window


class Attempts:
    """Makes the attempts of requests. One a worker."""

    def __init__(
        self,
        *,
        asker: Asker,
        hedger: Hedger,
        planner: Planner,
        health: LiveHealth,
        holder: Holder,
        recorder: Recorder,
        durable: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._asker = asker
        self._hedger = hedger
        self._planner = planner
        self._health = health
        self._holder = holder
        self._recorder = recorder
        self._durable = durable
        self._relay = Relay(recorder, durable)
        self._budgets = RetryBudgets()

    async def admit(self, exchange: Exchange) -> None:
        """Hold what the request takes, of the first target whose own budgets and limits let it through.

        Raises:
            TollwayError: as `Holder.hold`; `JournalUnavailableError` as well.
        """
        try:
            lacking = self._holder.take(exchange)
            if lacking:
                await self._holder.overcome(exchange, lacking)
        except TollwayError as error:
            if not error.of_target or not await self._take_next(exchange, _any):
                raise
        self._recorder.open(exchange)

    async def run(self, exchange: Exchange, caller: Caller) -> None:
        """Ask until the caller is answered.

        Raises:
            TollwayError: the last failure, if the caller was told nothing.
        """
        if self._budgets and (budget := self._budgets.get(exchange.route_key)) is not None:
            budget.asked(exchange.route.retry.max_extra_percent)
        while (failed := await self._attempt(exchange, caller)) is not None:
            target = exchange.target
            if not await self._go_on(exchange, failed):
                exchange.target = target
                await self._tell(exchange, failed, caller)
                return

    async def _attempt(self, exchange: Exchange, caller: Caller) -> Failed | None:
        """Ask the present target; what failed, if the caller is not answered by it."""
        patient = exchange.target.patient
        exchange.tried += 1
        patient.began(time.monotonic())
        timeout_s = _patience_s(exchange) if exchange.is_pressed else math.inf
        try:
            if exchange.route.hedge is None:
                reply = await self._asker.ask(exchange, wait=bool(exchange.steps), timeout_s=timeout_s)
            else:
                try:
                    reply = await self._hedger.ask(exchange, timeout_s=timeout_s)
                finally:
                    patient = exchange.target.patient
            if reply.failure is not None:
                self._health.failed(exchange.target.patient, reply.failure, exchange.target.credential_id)
                return Failed(reply.failure, reply=reply)
            if reply.reader is not None:
                await self._stream(exchange, reply, reply.reader, caller)
            elif reply.answer is not None:
                await self._whole(exchange, reply, reply.answer, caller)
        except StreamCutError:
            exchange.target.patient.breaker.released()
            raise
        except UpstreamError as error:
            failure = failure_of(error)
            self._health.failed(exchange.target.patient, failure, exchange.target.credential_id)
            return Failed(failure, error)
        except UnsupportedFieldError as error:
            exchange.target.patient.breaker.released()
            return Failed(failure_of(error), error)
        except BaseException:  # it says nothing of the deployment: the caller left, or the request cannot be asked
            exchange.target.patient.breaker.released()
            raise
        finally:
            patient.health.in_flight -= 1
        return None

    async def _whole(self, exchange: Exchange, reply: Reply, answer: Answer, caller: Caller) -> None:
        """A whole reply is there, or flows: pass it on. How one that flows ended tells how its deployment does."""
        target, waited_us = exchange.target, reply.waited_us
        if not reply.flows_bytes:
            self._health.answered(target.patient, answer.usage, waited_us, waited_us, stream=False)
        cut = await self._relay.whole(exchange, reply, answer, caller)
        if cut is not None:
            self._health.failed(target.patient, failure_of(cut), target.credential_id)
        elif reply.flows_bytes:
            self._health.answered(target.patient, answer.usage, waited_us, exchange.attempt_us(), stream=False)

    async def _stream(self, exchange: Exchange, reply: Reply, reader: StreamReader, caller: Caller) -> None:
        """A stream has begun: pass it on, and what follows if it breaks."""
        try:
            await caller.start(reply.upstream.status, reply_headers(exchange, reply.upstream))
        except BaseException:  # the caller is not there any more
            reply.upstream.close()
            raise
        present: tuple[Reply, StreamReader] | None = (reply, reader)
        while present is not None:
            present = await self._pass_on(exchange, *present, caller)

    async def _pass_on(
        self, exchange: Exchange, reply: Reply, reader: StreamReader, caller: Caller
    ) -> tuple[Reply, StreamReader] | None:
        """Pass on one stream; what goes on with it, if it broke and another target does."""
        resumable = exchange.route.continue_streams and bool(exchange.steps)
        resumable = resumable and exchange.tried < exchange.route.retry.attempts
        try:
            ended = await relay_stream(
                exchange,
                reply,
                reader,
                caller,
                recorder=self._recorder,
                durable=self._durable,
                resumable=resumable,
            )
        finally:
            reply.upstream.close()
        target = exchange.target
        if ended.cut:
            self._health.failed(target.patient, Failure(FailureKind.CUT), target.credential_id)
            return None if ended.rest is None else await self._resume(exchange, ended, ended.rest)
        duration_us = exchange.attempt_us()
        self._health.answered(target.patient, ended.answer.usage, reply.waited_us, duration_us, stream=True)
        return None

    async def _resume(self, exchange: Exchange, ended: Ended, rest: Call) -> tuple[Reply, StreamReader]:
        """Ask another target for the rest of an answer.

        Raises:
            StreamCutError: nobody goes on with it.
        """
        cut = cut_error(exchange, UpstreamCutError("it was not gone on with."))
        self._recorder.bill(exchange, cut.code, ended.answer)
        exchange.call = rest
        if not await self._take_next(exchange, _any):
            raise cut
        exchange.tried += 1
        target = exchange.target
        target.patient.breaker.began(time.monotonic())
        try:
            reply = await self._asker.ask(exchange, wait=True, timeout_s=exchange.left_s())
        except UpstreamError as error:
            self._health.failed(target.patient, failure_of(error), target.credential_id)
            raise cut from error
        except (UnsupportedFieldError, InvalidRequestError) as error:  # it cannot be asked for the rest
            raise cut from error
        if reply.reader is None or reply.failure is not None:
            if reply.reader is not None:
                reply.upstream.close()
            self._health.failed(target.patient, reply.failure or Failure(FailureKind.CUT), target.credential_id)
            raise cut
        return reply, reply.reader

    async def _tell(self, exchange: Exchange, failed: Failed, caller: Caller) -> None:
        """Nothing more is tried: tell the caller of the last failure."""
        if failed.reply is None:
            assert failed.error is not None  # noqa: S101 -- it is one or the other
            raise failed.error
        if failed.reply.reader is not None:
            if not exchange.attempting:
                raise UpstreamError("The provider's stream began with an error.", next_step="Try again.")
            await self._stream(exchange, failed.reply, failed.reply.reader, caller)  # as it came
        else:
            await self._relay.refusal(exchange, failed.reply, failed.failure, caller)

    # --- what comes next --------------------------------------------------------------------------------

    async def _go_on(self, exchange: Exchange, failed: Failed) -> bool:
        """Get ready for another attempt; whether there is one."""
        retry = exchange.route.retry
        if exchange.tried >= retry.attempts or exchange.left_s() <= 0:
            return False
        for move in moves(failed.failure, retry):
            if move is Move.SAME:
                return await self._retry(exchange, failed)
            if move is Move.STOP:
                return False
            if self._has_other_credential(exchange.target, failed.failure):
                return await self._repeat(exchange, failed)
            fits = _larger_than(exchange.target) if move is Move.LARGER else _any
            if exchange.steps:
                self._end(exchange, failed)
                if await self._take_next(exchange, fits):
                    return True
        return False

    async def _retry(self, exchange: Exchange, failed: Failed) -> bool:
        """Ask the same target again, after a pause."""
        retry, now_s = exchange.route.retry, time.monotonic()
        tries = sum(each.provider == exchange.target.deployment.name for each in exchange.attempts)
        draw = random.random()  # noqa: S311 -- spreads load, hides nothing
        pause_s = back_off_s(retry, tries + exchange.attempting, failed.failure.retry_after_s, draw)
        if pause_s is None or pause_s >= exchange.left_s() or not exchange.target.patient.breaker.allows(now_s):
            return False
        if not self._budgets[exchange.route_key].take(retry.max_extra_percent):
            return False
        if exchange.attempting and not may_be_billed(exchange, failed.error):
            exchange.end_attempt(exchange.status, _code(failed))  # what is held is kept for the next
        else:
            self._end(exchange, failed)
        if failed.reply is not None and failed.reply.reader is not None:
            failed.reply.upstream.close()
        await asyncio.sleep(pause_s)
        return await self._hold_again(exchange)

    async def _repeat(self, exchange: Exchange, failed: Failed) -> bool:
        """Ask the same deployment with another credential."""
        self._end(exchange, failed)
        return await self._begin(exchange, exchange.target.candidate)

    async def _hold_again(self, exchange: Exchange) -> bool:
        """Get ready to ask the same target again; whether it can be."""
        if exchange.claims is None or not exchange.claims.settled:
            exchange.begin_attempt(exchange.target)
            self._recorder.open(exchange)
            return True
        return await self._begin(exchange, exchange.target.candidate)

    def _end(self, exchange: Exchange, failed: Failed) -> None:
        """The present attempt is over, and another one follows: settle what it held."""
        if not exchange.attempting:
            return
        if failed.reply is not None and failed.reply.reader is not None:
            failed.reply.upstream.close()
        answer = estimate(exchange, []) if may_be_billed(exchange, failed.error) else None
        self._recorder.bill(exchange, _code(failed), answer)

    async def _take_next(self, exchange: Exchange, fits: Callable[[Target], bool]) -> bool:
        """Go to the next target that can be asked and whose budgets and limits let the request through."""
        while exchange.steps:
            step = exchange.steps.pop(0)
            if await self._begin(exchange, step.candidate, fits):
                return True
        return False

    async def _begin(self, exchange: Exchange, candidate: Candidate, fits: Callable[[Target], bool] = _any) -> bool:
        """Get ready to ask a target; whether it can be asked. If not, the present target stays."""
        present = exchange.target
        try:
            target = self._planner.target(exchange, candidate)
        except TollwayError:
            return False
        if not fits(target) or not target.patient.breaker.allows(time.monotonic()):
            return False
        claims, exchange.target, exchange.claims = exchange.claims, target, None
        try:
            await self._holder.hold(exchange)
        except BaseException as error:  # nothing is held
            exchange.target, exchange.claims = present, claims
            if isinstance(error, TollwayError):
                return False
            raise
        exchange.begin_attempt(target)
        if exchange.tried:
            self._recorder.open(exchange)
        return True

    def _has_other_credential(self, target: Target, failure: Failure) -> bool:
        """Whether the credential is at fault, and another one of the provider does not rest."""
        deployment = target.candidate.deployment
        return bool(deployment.credentials and rest_s(failure) and self._health.awake(deployment, target.model))


def _patience_s(exchange: Exchange) -> float:
    """How long the present attempt may take to begin its answer."""
    left_s, timeout_s = exchange.left_s(), exchange.route.retry.attempt_timeout_s
    return left_s if timeout_s is None or not exchange.steps else min(timeout_s, left_s)


def _code(failed: Failed) -> str:
    return failed.error.code if failed.error is not None else "upstream_error"
