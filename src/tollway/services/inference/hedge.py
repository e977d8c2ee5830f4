"""Ask a second deployment when the first is late: who answers first wins, and both are paid for truthfully."""

import asyncio
import copy
import time
from collections.abc import Iterable

from tollway.errors import JournalUnavailableError, TollwayError, UpstreamError
from tollway.ledger.spent import together
from tollway.ledger.window import SECOND_US
from tollway.providers.adapter import Answer
from tollway.routing.retry import RetryBudgets
from tollway.services.inference.ask import Asker, Reply, failure_of
from tollway.services.inference.ending import estimate, may_be_billed
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.holder import Holder
from tollway.services.inference.planner import Planner
from tollway.services.inference.record import Recorder
from tollway.services.live_health import LiveHealth

LOST = "hedge_lost"
"""The error of an attempt that another one was faster than."""
_MS_PER_S = 1_000

_Asking = asyncio.Task[Reply]


class Hedger:
    """Hedges the requests of one worker."""

    def __init__(self, asker: Asker, planner: Planner, health: LiveHealth, holder: Holder, recorder: Recorder) -> None:
        self._asker = asker
        self._planner = planner
        self._health = health
        self._holder = holder
        self._recorder = recorder
        self._budgets = RetryBudgets()

    async def ask(self, exchange: Exchange, *, timeout_s: float) -> Reply:
        """Ask the present target, and the next one if it is late. The exchange is then that of who was first.

        Whatever happens, the target that the exchange has then is in flight, and the other one no more.

        Raises:
            UpstreamError, UnsupportedFieldError: as `Asker.ask`, if nobody answered.
            JournalUnavailableError: the second attempt cannot be recorded.
        """
        hedge = exchange.route.hedge
        late_s = self._late_s(exchange)
        if hedge is None or late_s is None or late_s >= timeout_s:
            return await self._asker.ask(exchange, wait=True, timeout_s=timeout_s)
        budget = self._budgets[exchange.route_key]
        budget.asked(hedge.max_percent)
        first = asyncio.create_task(self._asker.ask(exchange, wait=True, timeout_s=timeout_s))
        second: Exchange | None = None
        tasks: dict[_Asking, Exchange] = {first: exchange}
        try:
            done, _ = await asyncio.wait(tasks, timeout=late_s)
            if not done and budget.take(hedge.max_percent):
                second = await self._second(exchange, first)
            if second is None:
                return await first
            second.target.patient.began(time.monotonic())
            tasks[asyncio.create_task(self._asker.ask(second, wait=True, timeout_s=timeout_s))] = second
            winner = await _first_answer(tasks)
        except BaseException:  # cancelled, or the journal is away: both are ended, then it is raised again
            for task in tasks:
                _end(task)
            if second is not None:
                self._leave(second, None)
                self._bill(exchange, second, None)
            raise
        return self._decide(exchange, second, tasks, winner)

    async def _second(self, exchange: Exchange, first: _Asking) -> Exchange | None:
        """An attempt at the next target, held and recorded; ``None`` if none can be made while the first one runs.

        Targets that cannot be asked now are left for what follows if the first one fails.
        """
        for place, step in enumerate(exchange.steps):
            second = _fork(exchange)
            try:
                second.begin_attempt(self._planner.target(exchange, step.candidate))
                if not second.target.patient.breaker.allows(time.monotonic()):
                    continue
                if not await self._holds(second, first):
                    return None
            except TollwayError:
                continue
            try:
                self._recorder.open(exchange, beside=second.claims)
            except JournalUnavailableError:
                if second.claims is not None:
                    second.claims.abandon()
                raise
            del exchange.steps[place]
            return second
        return None

    async def _holds(self, second: Exchange, first: _Asking) -> bool:
        """Hold what a second attempt takes; whether that was there before the first one's end, which waits for nobody.

        Raises:
            TollwayError: as `Holder.hold`.
        """
        holding = asyncio.create_task(self._holder.hold(second))
        is_held = False
        try:
            await asyncio.wait((holding, first), return_when=asyncio.FIRST_COMPLETED)
            is_held = not first.done() and holding.result() is None
        finally:
            if not is_held:
                holding.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody else asks
                holding.cancel()
                if second.claims is not None:
                    second.claims.abandon()
        return is_held

    def _decide(self, exchange: Exchange, second: Exchange, tasks: dict[_Asking, Exchange], winner: _Asking) -> Reply:
        """End the attempt that lost, and go on with the other."""
        loser = next(task for task in tasks if task is not winner)
        ended = loser if loser.done() else None
        _end(loser)
        exchange.tried += 1
        if tasks[winner] is second:
            if ended is None:
                late_s = exchange.attempt_us() / SECOND_US
                exchange.target.patient.health.answered(late_s, late_s, 0, stream=exchange.call.stream)
            first = _alone(exchange)
            _adopt(exchange, second)
            second = first
        self._leave(second, ended)
        self._bill(exchange, second, ended)
        return winner.result()

    def _leave(self, lost: Exchange, ended: _Asking | None) -> None:
        """An attempt that lost runs no more: its deployment is told what it failed by, if it failed."""
        target, failure = lost.target, None
        target.patient.health.in_flight -= 1
        if ended is not None:
            error = ended.exception()
            if error is None:
                failure = ended.result().failure
            elif isinstance(error, UpstreamError):
                failure = failure_of(error)
        if failure is None:
            target.patient.breaker.released()
        else:
            self._health.failed(target.patient, failure, target.credential_id)

    def _bill(self, exchange: Exchange, lost: Exchange, task: _Asking | None) -> None:
        """Charge an attempt that lost: what its provider counted, or what it may have read. `task`: if it had ended."""
        lost = _alone(lost)
        self._recorder.bill(lost, LOST, _answer_of(lost, task))
        exchange.attempts = (*exchange.attempts, *lost.attempts)
        if lost.spent is not None:
            exchange.spent = together(exchange.spent, lost.spent)

    def _late_s(self, exchange: Exchange) -> float | None:
        """After how many seconds the present target is late; ``None`` if that is not known, or nobody else is there."""
        hedge = exchange.route.hedge
        if hedge is None or not exchange.steps:
            return None
        if hedge.after_ms is not None:
            return hedge.after_ms / _MS_PER_S
        return exchange.target.patient.health.late_s(hedge.percentile, stream=exchange.call.stream)


async def _first_answer(tasks: Iterable[_Asking]) -> _Asking:
    """The first that gives an answer; the last of them if none does."""
    left = set(tasks)
    while True:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.exception() is None and task.result().failure is None:
                return task
        if not left:
            return done.pop()


def _end(task: _Asking) -> None:
    """End an attempt, also one that has an answer which nobody reads."""
    task.add_done_callback(_hang_up)
    task.cancel()


def _hang_up(task: _Asking) -> None:
    if not task.cancelled() and task.exception() is None and (reply := task.result()).reader is not None:
        reply.upstream.close()


def _answer_of(lost: Exchange, task: _Asking | None) -> Answer | None:
    """What the provider of an attempt that lost may bill, ``None`` for nothing."""
    if task is None:
        return estimate(lost, [])
    error = task.exception()
    if error is not None:
        return estimate(lost, []) if isinstance(error, TollwayError) and may_be_billed(lost, error) else None
    reply = task.result()
    if reply.failure is not None:
        return estimate(lost, []) if may_be_billed(lost, None) else None
    texts = lost.target.adapter.reply_texts(reply.body) if reply.reader is None else reply.reader.delivered_texts()
    return estimate(lost, texts)


def _adopt(exchange: Exchange, second: Exchange) -> None:
    """Go on with the second attempt."""
    exchange.target, exchange.claims = second.target, second.claims
    exchange.status, exchange.dropped = second.status, second.dropped
    exchange.attempt_started_ns = second.attempt_started_ns


def _alone(exchange: Exchange) -> Exchange:
    """The present attempt by itself."""
    alone = copy.copy(exchange)
    alone.attempts, alone.spent = (), None
    return alone


def _fork(exchange: Exchange) -> Exchange:
    """Another attempt at the same time, that holds nothing yet."""
    fork = _alone(exchange)
    fork.claims = None
    return fork
