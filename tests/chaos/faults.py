"""Make things go wrong, as the plan says."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import psutil

from chaos.proxy import Proxy
from chaos.schedule import KINDS, Event, Fault, Plan
from chaos.small_disk import empty, fill
from chaos.world import World

_DELAY_S = (0.01, 0.2)
_MODULE_WORKER, _MODULE_DRAIN = "tollway.worker", "tollway.jobs.drain"
_STOPPED_WITHIN_S = 90.0
_DISTURBED = frozenset({"database", "worker"})
_AFTERMATH_US = 3_000_000
"""By then workers are connected again, and have heard what they missed."""

_DISTURBING = {
    Fault.CUT_DATABASE: ("database", "cut"),
    Fault.STALL_DATABASE: ("database", "stall"),
    Fault.DELAY_DATABASE: ("database", "delay"),
    Fault.CUT_CALLERS: ("callers", "cut"),
    Fault.DELAY_CALLERS: ("callers", "delay"),
    Fault.CUT_PROVIDER: ("provider", "cut"),
    Fault.DELAY_PROVIDER: ("provider", "delay"),
}
"""Which proxy of the world is told what."""

Change = Callable[[float], Awaitable[str]]
"""Changes a quota; which and how follows from a number from 0 to 1. Returns what was done."""


class Faults:
    """Lets the events of a plan happen to a world.

    Attributes:
        notes: what happened, for the log of the run.
        disturbed_us: epoch microseconds from when to when each fault of the database or a worker lasted, and its
            aftermath; of one that still lasts, the end is far away.
        out_of_reach_us: those of them in which workers may not have reached the database, or stood still.
    """

    def __init__(self, world: World, change_quota: Change) -> None:
        self._world = world
        self._change_quota = change_quota
        self._began_s = 0.0
        self._starting = False
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.notes: list[str] = []
        self.disturbed_us: list[tuple[int, int]] = []
        self.out_of_reach_us: list[tuple[int, int]] = []

    def calm(self, begin_us: int, end_us: int) -> bool:
        """Whether the database and the workers were undisturbed all the time between."""
        return not any(begin_us < end and begin < end_us for begin, end in self.disturbed_us)

    async def run(self, plan: Plan) -> None:
        """All events at their times; returns when the last one is over."""
        self._began_s = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as happening:
            for event in plan.events:
                await asyncio.sleep(self._began_s + event.at_s - asyncio.get_running_loop().time())
                happening.create_task(self._happen(event))

    async def _happen(self, event: Event) -> None:
        async with self._turns[KINDS[event.fault].group]:  # on a busy machine a restart takes longer than planned
            await self._begin_and_end(event)

    async def _begin_and_end(self, event: Event) -> None:
        self._note(f"{event.fault} …")
        number, begin_us = len(self.disturbed_us), time.time_ns() // 1_000
        disturbs = KINDS[event.fault].group in _DISTURBED
        if disturbs:
            self.disturbed_us.append((begin_us, sys.maxsize))
        await self._let_happen(event)
        if disturbs:
            self.disturbed_us[number] = begin_us, time.time_ns() // 1_000 + _AFTERMATH_US
            if event.fault is not Fault.KILL_WORKER:
                self.out_of_reach_us.append(self.disturbed_us[number])
        self._note(f"{event.fault} over")

    async def _let_happen(self, event: Event) -> None:
        match event.fault:
            case Fault.FREEZE_WORKER | Fault.FREEZE_POSTGRES:
                await self._freeze(self._victims(event), event.lasts_s)
            case Fault.FILL_JOURNAL:
                await self._fill_journal(event.lasts_s)
            case Fault.CHANGE_QUOTA:
                self._note(await self._change_quota(event.pick))
            case Fault.RESTART:
                await self._restart(signal.SIGTERM)
            case Fault.CRASH:
                await self._restart(signal.SIGKILL)
            case fault if fault in _DISTURBING:
                await self._disturb(event)
            case _:
                self._signal(self._victims(event), signal.SIGKILL)

    def _victims(self, event: Event) -> list[int]:
        match event.fault:
            case Fault.KILL_DRAIN:
                return self._one(_MODULE_DRAIN, event.pick)
            case Fault.KILL_POSTGRES:
                return self._world.postgres_processes()[:1]
            case Fault.KILL_BACKEND:
                return _chosen(self._world.postgres_processes()[1:], event.pick)
            case Fault.FREEZE_POSTGRES:
                return self._world.postgres_processes()
            case _:
                return self._one(_MODULE_WORKER, event.pick)

    async def _disturb(self, event: Event) -> None:
        """Cut, stall or delay the connections through a proxy."""
        where, how = _DISTURBING[event.fault]
        proxy: Proxy | None = getattr(self._world, where)
        if proxy is None:
            return
        if how == "delay":
            proxy.delay_s = _DELAY_S[0] + event.pick * (_DELAY_S[1] - _DELAY_S[0])
        else:
            getattr(proxy, how)()
        try:
            await asyncio.sleep(event.lasts_s)
        finally:
            proxy.heal()

    async def _fill_journal(self, lasts_s: float) -> None:
        disk = self._world.disk
        if disk is None:
            return
        try:
            await asyncio.to_thread(fill, disk)
            await asyncio.sleep(lasts_s)
        finally:
            empty(disk)

    async def _freeze(self, process_ids: Sequence[int], lasts_s: float) -> None:
        self._signal(process_ids, signal.SIGSTOP)
        try:
            await asyncio.sleep(lasts_s)
        finally:
            self._signal(process_ids, signal.SIGCONT)

    async def _restart(self, number: signal.Signals) -> None:
        """Stop Tollway, gently or by force, and start it again."""
        process = self._world.gateway.process
        self._starting = True
        process.send_signal(number)
        await asyncio.to_thread(process.wait, _STOPPED_WITHIN_S)
        await asyncio.to_thread(self._world.gateway.start)
        self._starting = False

    def _one(self, module: str, pick: float) -> list[int]:
        """One of the processes that run this module, if there is any just now."""
        if self._starting:  # a child that dies before all are ready ends the start, and says so: as it should
            return []
        try:
            found = self._world.gateway.children(module)
        except psutil.NoSuchProcess:  # Tollway itself is being started again
            return []
        return _chosen(sorted(child.pid for child in found), pick)

    def _signal(self, process_ids: Sequence[int], number: signal.Signals) -> None:
        for process_id in process_ids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, number)
        self._note(f"{number.name} → {list(process_ids)}")

    def _note(self, text: str) -> None:
        self.notes.append(f"{asyncio.get_running_loop().time() - self._began_s:6.2f} s  {text}")


def _chosen(process_ids: Sequence[int], pick: float) -> list[int]:
    return [process_ids[min(int(pick * len(process_ids)), len(process_ids) - 1)]] if process_ids else []
