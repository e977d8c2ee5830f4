"""P2: a hard budget is never overspent, whatever the concurrency, the number of workers, or who crashes."""

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from support import raw
from support.gateway import Gateway, expected_charge_pico, new_mark, running
from support.postgres import PostgresServer
from support.spender import Spender
from support.standin import StandIn
from support.waiting import wait_until

WORKERS = 3
CALLERS = 100
REQUESTS = 400
WORTH = 200
"""Requests that a budget covers."""


@pytest.fixture(scope="module")
def workers(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway of several workers, of which some are killed."""
    settings = {
        "TOLLWAY_WORKERS": str(WORKERS),
        "TOLLWAY_DRAIN_INTERVAL_MS": "50",
        "TOLLWAY_BUDGET_WAIT_S": "60",  # on a busy machine those who run hold the rest for long
        "COVERAGE_PROCESS_CONFIG": "",
    }
    with running(tmp_path_factory.mktemp("p2") / "data", postgres_server.create(), standin, **settings) as gateway:
        yield gateway


def body(mark: str, *, stream: bool = False) -> bytes:
    question = [{"role": "user", "content": "Say something."}]
    asked = {"model": "stub/frugal", "messages": question, "max_tokens": 20, "user": mark, "stream": stream}
    return json.dumps(asked).encode()


def served_pico(standin: StandIn, mark: str) -> int:
    """What the provider counted, at the price of its models."""
    return sum(expected_charge_pico(received.tokens) for received in standin.marked(mark) if received.tokens)


def budget_pico(standin: StandIn, gateway: Gateway) -> int:
    """What `WORTH` requests cost."""
    mark = new_mark()
    assert gateway.post("/v1/chat/completions", body(mark)).is_success
    return WORTH * served_pico(standin, mark)


def spender_of(gateway: Gateway, pico: int) -> Spender:
    spender = Spender(gateway)
    spender.budget(f"{Decimal(pico).scaleb(-12):f}", window="total")
    return spender


async def burst(spender: Spender, mark: str, *, leavers: random.Random | None = None) -> Counter[int]:
    """All requests, so many at a time; the statuses their callers got. With `leavers` some do not wait for it."""
    sent = raw.request("/v1/chat/completions", body(mark), key=spender.key)
    left = iter(range(REQUESTS))
    statuses: Counter[int] = Counter()

    async def caller() -> None:
        for _ in left:
            leave_s = leavers.uniform(0, 0.05) if leavers and leavers.random() < 0.3 else None
            status = 503
            while status == 503:  # a database that stood still for seconds counts as away: callers are to try again
                status = (await raw.exchange_async(spender.gateway.url, sent, leave_after_s=leave_s)).status
            statuses[status] += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return statuses


@pytest.mark.timeout(600)
def test_many_callers_of_several_workers_get_what_the_budget_covers_and_no_more(
    workers: Gateway, standin: StandIn
) -> None:
    worth = budget_pico(standin, workers)
    spender, mark = spender_of(workers, worth), new_mark()
    statuses = asyncio.run(burst(spender, mark))
    served = served_pico(standin, mark)
    assert 0.97 * worth <= served <= worth, statuses
    assert set(statuses) == {200, 402}
    wait_until(lambda: spender.settled_pico() == served, what="the budget to have what the provider counted")


def test_callers_who_leave_do_not_make_the_budget_overspent(workers: Gateway, standin: StandIn) -> None:
    worth = budget_pico(standin, workers)
    spender, mark = spender_of(workers, worth), new_mark()
    asyncio.run(burst(spender, mark, leavers=random.Random(3)))
    assert 0 < served_pico(standin, mark) <= worth
    assert spender.settled_pico() <= worth


@pytest.mark.timeout(600)
def test_killed_workers_do_not_make_the_budget_overspent_and_give_their_leases_back(
    workers: Gateway, standin: StandIn
) -> None:
    worth = budget_pico(standin, workers)
    spender, mark = spender_of(workers, worth), new_mark()

    async def load_and_kill() -> None:
        load = asyncio.create_task(burst(spender, mark))
        await asyncio.to_thread(wait_until, lambda: len(standin.marked(mark)) > WORTH // 4)
        for victim in workers.serving_workers()[:2]:
            victim.send_signal(signal.SIGKILL)
        await load

    asyncio.run(load_and_kill())
    wait_until(lambda: len(workers.serving_workers()) == WORKERS, what="the killed workers' successors")

    def used_up() -> bool:
        asyncio.run(burst(spender, mark))
        return spender.settled_pico() >= 0.97 * worth  # with the bounds of what the dead workers were serving

    wait_until(used_up, within_s=300, what="the next callers to get what the dead workers had leased and not spent")
    assert served_pico(standin, mark) <= worth
    assert spender.settled_pico() <= worth
