"""Workers that lease and spend as the pipeline does, on a real database, here or in processes of their own."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tollway.data.changes import Change
from tollway.data.session import Database, create_engine
from tollway.ids import uuid7
from tollway.ledger.lease import Lease
from tollway.ledger.quota import Quota, Unit
from tollway.services.change_feed import ChangeFeed
from tollway.services.database_clock import DatabaseClock
from tollway.services.leases import exchange
from tollway.services.leases.exchange import LeaseExchange
from tollway.services.leases.keeper import LeaseKeeper
from tollway.services.quota_load import QuotaLoad

PATIENCE_S = 60.0
"""Nothing that a test waits for takes nearly as long, also on a machine that stands still for a while."""


@dataclass
class Spender:
    """One worker's leases, and what its requests did.

    Attributes:
        keeper: the leases.
        used: what its requests used, by subject and the start of the window.
        refused: how many were refused.
        waited_s: of those that were served, how long each waited.
    """

    keeper: LeaseKeeper
    worker_id: str
    used: dict[tuple[str, int], int] = field(default_factory=dict)
    refused: int = 0
    waited_s: list[float] = field(default_factory=list)

    def quota(self, quota_id: str) -> Quota:
        return self.keeper.book.quotas[quota_id]

    async def admit(
        self, quota_id: str, hold: int, *, subject: str = "", patience_s: float = PATIENCE_S
    ) -> Lease | None:
        """Hold as a request does; ``None`` if that is refused.

        Unlike a request it waits while the database is away: two exchanges that a busy machine let fail make a worker
        believe so.
        """
        began_s, keeper = time.monotonic(), self.keeper
        new = True
        while True:
            lease = keeper.lease(self.quota(quota_id), subject)
            if not (new and lease.waiting) and lease.hold(hold):
                if lease.free < lease.low:
                    keeper.low(lease)
                self.waited_s.append(time.monotonic() - began_s)
                return lease
            left_s = began_s + patience_s - time.monotonic()
            if left_s <= 0 or _hopeless(lease, hold, new=new):
                self.refused += 1
                return None
            await keeper.wait([(lease, hold)], timeout_s=left_s)
            if not keeper.available:
                await asyncio.sleep(min(0.01, left_s))
            new = False

    def settle(self, lease: Lease, hold: int, use: int) -> None:
        """End a request."""
        lease.settle(hold, use)
        if lease.waiting:
            self.keeper.freed(lease)
        key = lease.ref.subject, lease.ref.start_us
        self.used[key] = self.used.get(key, 0) + use

    async def request(self, quota_id: str, *, hold: int, use: int, lasts_s: float = 0.0, **how: Any) -> bool:
        """One request; whether it was served."""
        lease = await self.admit(quota_id, hold, **how)
        if lease is None:
            return False
        await asyncio.sleep(lasts_s)
        self.settle(lease, hold, use)
        return True

    @property
    def spent(self) -> int:
        return sum(self.used.values())


def _hopeless(lease: Lease, hold: int, *, new: bool) -> bool:
    """Whether even what others hold could not make it fit into a budget; a limit has another window soon."""
    answer = lease.answer
    if new or answer is None or answer.amount is None or lease.quota.unit is not Unit.USD:
        return False
    return answer.settled + hold > answer.amount


@asynccontextmanager
async def an_exchange(url: str, worker_id: str, clock: DatabaseClock | None = None) -> AsyncIterator[LeaseExchange]:
    """A worker's exchange with the database."""
    leasing = Database(create_engine(url, pool_size=2, timeout_s=PATIENCE_S))
    exchange = LeaseExchange(leasing, worker_id, clock or DatabaseClock())
    yield exchange
    await exchange.aclose()


@asynccontextmanager
async def spending(url: str, *, worker_id: str = "", clock: DatabaseClock | None = None) -> AsyncIterator[Spender]:
    """A worker's keeper that runs and hears changes."""
    worker_id = worker_id or uuid7()
    database = Database(create_engine(url, pool_size=2, timeout_s=PATIENCE_S))
    leasing = Database(create_engine(url, pool_size=2, timeout_s=PATIENCE_S))
    keeper = LeaseKeeper(LeaseExchange(leasing, worker_id, clock or DatabaseClock()), QuotaLoad(database).load)
    await keeper.follow(Change("*"))

    async def hear() -> None:
        async for change in ChangeFeed(url).listen():
            await keeper.follow(change)

    tasks = [asyncio.create_task(keeper.run()), asyncio.create_task(hear())]
    try:
        yield Spender(keeper, worker_id)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await keeper.aclose()
        await database.close()


def in_processes(url: str, plans: Sequence[dict[str, Any]]) -> list[subprocess.Popen[bytes]]:
    """Start a process for each plan (see `_run`); `result_of` reads what it says at its end."""
    command = [sys.executable, "-m", "support.leases", url]
    here = str(Path(__file__).parent.parent)
    return [subprocess.Popen([*command, json.dumps(plan)], stdout=subprocess.PIPE, cwd=here) for plan in plans]


def result_of(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the process said."""
    output, _ = process.communicate(timeout=2 * PATIENCE_S)
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


async def _run(url: str, plan: dict[str, Any]) -> None:
    """`count` requests on one quota, `parallel` at a time, each holding and using so much for so long."""
    async with spending(url, worker_id=plan.get("worker_id", "")) as spender:
        turn = asyncio.Semaphore(plan["parallel"])

        async def one(number: int) -> None:
            async with turn:
                use = plan["use"][number % len(plan["use"])]
                how = {"patience_s": plan.get("patience_s", PATIENCE_S)}
                await spender.request(plan["quota"], hold=plan["hold"], use=use, lasts_s=plan.get("lasts_s", 0), **how)
                if plan.get("every_s"):
                    await asyncio.sleep(plan["every_s"])

        await asyncio.gather(*(one(number) for number in range(plan["count"])))
        waited = sorted(spender.waited_s)
        print(
            json.dumps(
                {
                    "used": [[*key, amount] for key, amount in spender.used.items()],
                    "refused": spender.refused,
                    "served": len(waited),
                    "p50_ms": 1e3 * waited[len(waited) // 2] if waited else 0,
                    "p99_ms": 1e3 * waited[len(waited) * 99 // 100] if waited else 0,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    exchange.LEASE_TIMEOUT_S = PATIENCE_S
    asyncio.run(_run(sys.argv[1], json.loads(sys.argv[2])))
