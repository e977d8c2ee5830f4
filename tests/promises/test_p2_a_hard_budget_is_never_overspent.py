"""P2: a hard budget is never overspent, whatever the concurrency, the number of workers, or who crashes."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from support import raw
from support.gateway import Gateway, expected_charge_pico, new_mark, running
from support.postgres import PostgresServer
from support.standin import StandIn
from support.waiting import wait_until

WORKERS = 3
CALLERS = 100
REQUESTS = 400
WORTH = 200
"""Requests that the budget of the burst covers."""


@pytest.fixture(scope="module")
def workers(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway of several workers, whose workers may be killed."""
    settings = {"TOLLWAY_WORKERS": str(WORKERS), "TOLLWAY_DRAIN_INTERVAL_MS": "50", "COVERAGE_PROCESS_CONFIG": ""}
    with running(tmp_path_factory.mktemp("p2") / "data", postgres_server.create(), standin, **settings) as gateway:
        yield gateway


def spender(gateway: Gateway, usd: Decimal, **fields: object) -> str:
    """A new key with a hard budget, known to every worker."""
    name = new_mark()
    key = gateway.new_key(name=name)
    gateway.admin("PUT", "/budgets", {"key": name, "window": "total", "limit_usd": f"{usd:f}", "mode": "hard"} | fields)
    return key


def body(mark: str, *, model: str = "frugal", stream: bool = False) -> bytes:
    question = [{"role": "user", "content": "Say something."}]
    return json.dumps(
        {"model": f"stub/{model}", "messages": question, "max_tokens": 20, "user": mark, "stream": stream}
    ).encode()


async def burst(gateway: Gateway, key: str, mark: str, *, leave_s: float | None = None) -> Counter[int]:
    """All requests, so many at a time; the statuses their callers got."""
    sent = raw.request("/v1/chat/completions", body(mark), key=key)
    left = iter(range(REQUESTS))
    statuses: Counter[int] = Counter()

    async def caller() -> None:
        for number in left:
            leave = leave_s if leave_s and number % 3 == 0 else None
            statuses[(await raw.exchange_async(gateway.url, sent, leave_after_s=leave)).status] += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return statuses


def served_pico(standin: StandIn, mark: str) -> int:
    """What the provider counted, at the price of its models."""
    return sum(expected_charge_pico(received.tokens) for received in standin.marked(mark) if received.tokens)


def test_many_callers_of_several_workers_get_what_the_budget_covers_and_no_more(
    workers: Gateway, standin: StandIn
) -> None:
    mark = new_mark()
    one = new_mark()
    workers.post("/v1/chat/completions", body(one))
    usd = Decimal(WORTH * served_pico(standin, one)) / 10**12
    key = spender(workers, usd)

    statuses = asyncio.run(burst(workers, key, mark))

    served = served_pico(standin, mark)
    print(statuses, served, usd, len(standin.marked(mark)))
    print(workers.log_path.read_text()[-6000:])
    assert served <= usd * 10**12
    assert served >= usd * 10**12 * Decimal("0.97")
    assert set(statuses) == {200, 402}
