"""Two attempts at the same time: whatever becomes of them, nothing that they held or opened stays behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tollway.errors import RateLimitedError, TollwayError
from tollway.providers.adapter import Answer
from tollway.routing.failure import Failure, FailureKind
from tollway.routing.route import Hedge
from tollway.services.inference.ask import Reply
from tollway.services.inference.exchange import Exchange
from tollway.services.inference.hedge import LOST, Hedger
from tollway.services.live_health import LiveHealth, Patient

pytestmark = pytest.mark.anyio
Ask = Callable[[], Awaitable[Reply]]


class Line:
    """The connection of a reply."""

    closed = False
    status = 200

    def close(self) -> None:
        self.closed = True


def streamed(line: Line, *, failure: Failure | None = None) -> Reply:
    reader = SimpleNamespace(delivered_texts=list)
    return cast("Reply", SimpleNamespace(upstream=line, reader=reader, failure=failure))


def target(name: str, ask: Ask) -> Any:
    adapter = SimpleNamespace(estimate=lambda _call, _texts: None)
    deployment = SimpleNamespace(name=name)
    return SimpleNamespace(
        deployment=deployment, model="m", adapter=adapter, patient=Patient(name, "m"), credential_id=name, ask=ask
    )


class World:
    """A hedger of which the rest of the pipeline stands by; what it holds and bills is noted."""

    def __init__(self, first: Ask, second: Ask) -> None:
        self.targets = [target("first", first), target("second", second)]
        self.billed: list[tuple[str, str, Answer | None]] = []
        self.health = LiveHealth(cast("Any", None), "w", workers=lambda: 1)
        self.exchange = Exchange(
            inbound=cast("Any", SimpleNamespace(own_id="e", timeout_s=None)),
            principal=cast("Any", SimpleNamespace(project_id="p")),
            call=cast("Any", SimpleNamespace(model="m", stream=True, body=b"")),
            target=self.targets[0],
            route=cast("Any", SimpleNamespace(timeout_s=None, hedge=Hedge(after_ms=10, max_percent=100))),
            steps=cast("Any", [SimpleNamespace(candidate=self.targets[1])]),
        )
        self.hedger = Hedger(
            cast("Any", SimpleNamespace(ask=lambda exchange, **_: exchange.target.ask())),
            cast("Any", SimpleNamespace(target=lambda _, candidate: candidate)),
            self.health,
            cast("Any", SimpleNamespace(hold=self.hold)),
            cast("Any", SimpleNamespace(open=lambda *_, **__: None, bill=self.bill)),
        )

    async def hold(self, exchange: Exchange) -> None:
        """There are no budgets."""

    def bill(self, exchange: Exchange, error: str, answer: Answer | None) -> None:
        self.billed.append((exchange.target.deployment.name, error, answer))

    def ask(self) -> asyncio.Task[Reply]:
        self.targets[0].patient.began(time.monotonic())
        return asyncio.create_task(self.hedger.ask(self.exchange, timeout_s=60))

    @property
    def in_flight(self) -> list[int]:
        return [each.patient.health.in_flight for each in self.targets]


async def test_an_attempt_that_lost_is_not_waited_for() -> None:
    ended = asyncio.Event()

    async def stubborn() -> Reply:
        try:
            await asyncio.Event().wait()
        finally:
            await ended.wait()
        raise AssertionError

    line = Line()

    async def fast() -> Reply:
        return streamed(line)

    world = World(stubborn, fast)
    reply = await asyncio.wait_for(world.ask(), 60)
    assert (reply.upstream, line.closed) == (line, False)
    assert [(name, error) for name, error, _ in world.billed] == [("first", LOST)]
    assert world.in_flight == [0, 1]
    ended.set()


@pytest.mark.parametrize(("late", "billed"), [(False, []), (True, ["second"])])
async def test_an_answer_that_comes_when_the_caller_leaves_is_hung_up_and_a_second_attempt_is_billed(
    late: object, billed: list[str]
) -> None:
    line = Line()

    async def hang() -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def leave() -> Reply:
        asking.cancel()
        return streamed(line)

    world = World(hang if late else leave, leave)
    asking = world.ask()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert line.closed
    assert [name for name, _, _ in world.billed] == billed
    assert world.in_flight == [1, 0]  # of the first takes care who asked it


async def test_the_deployment_that_failed_and_lost_is_told() -> None:
    failed = asyncio.Event()
    line = Line()

    async def fail() -> Reply:
        await begun.wait()
        failed.set()
        return streamed(line, failure=Failure(FailureKind.SERVER, 500))

    begun = asyncio.Event()

    async def answer() -> Reply:
        begun.set()
        await failed.wait()
        await asyncio.sleep(0.01)
        return streamed(Line())

    world = World(fail, answer)
    await world.ask()
    await asyncio.sleep(0)
    now_s = time.monotonic()
    assert [each.patient.health.error_rate(now_s) > 0 for each in world.targets] == [True, False]
    assert line.closed


class Scarce(World):
    """One in which a second attempt lacks something until `come` is set, and is refused then if `refusal` is."""

    def __init__(self, first: Ask, second: Ask) -> None:
        super().__init__(first, second)
        self.lacks, self.come = asyncio.Event(), asyncio.Event()
        self.refusal: TollwayError | None = None
        self.abandoned: list[str] = []

    async def hold(self, exchange: Exchange) -> None:
        name = exchange.target.deployment.name
        exchange.claims = cast("Any", SimpleNamespace(abandon=lambda: self.abandoned.append(name)))
        self.lacks.set()
        await self.come.wait()
        if self.refusal is not None:
            raise self.refusal


async def unasked() -> Reply:
    raise AssertionError


async def test_an_answer_waits_for_no_limit_that_a_second_attempt_lacks() -> None:
    line = Line()

    async def answer() -> Reply:
        await world.lacks.wait()
        return streamed(line)

    world = Scarce(answer, unasked)
    reply = await asyncio.wait_for(world.ask(), 60)
    assert (reply.upstream, line.closed) == (line, False)
    assert world.abandoned == ["second"]
    assert world.billed == []
    assert world.in_flight == [1, 0]


async def test_a_second_attempt_that_may_begin_when_the_first_has_answered_is_not_made() -> None:
    line = Line()

    async def answer() -> Reply:
        await world.lacks.wait()
        world.come.set()
        return streamed(line)

    world = Scarce(answer, unasked)
    reply = await asyncio.wait_for(world.ask(), 60)
    assert (reply.upstream, line.closed) == (line, False)
    assert (world.abandoned, world.billed) == (["second"], [])


async def test_a_target_that_is_not_asked_for_want_of_a_limit_is_left_for_a_fallback() -> None:
    line = Line()

    async def answer() -> Reply:
        await refused.wait()
        return streamed(line)

    refused = asyncio.Event()
    world = Scarce(answer, unasked)
    world.refusal = RateLimitedError("Full.")
    world.come.set()
    asking = world.ask()
    await world.lacks.wait()
    refused.set()
    await asyncio.wait_for(asking, 60)
    assert len(world.exchange.steps) == 1
