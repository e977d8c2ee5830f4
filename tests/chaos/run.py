"""One run: start a world, let things go wrong under load, let it recover, stop it, and judge."""

import asyncio
import shutil
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chaos import holdings, verdict
from chaos.cast import FREE, cast
from chaos.faults import Faults
from chaos.load import Load
from chaos.quotas import Quotas
from chaos.schedule import Plan
from chaos.watch import Watch
from chaos.world import WORKERS, World, running_world
from support.waiting import eventually
from tollway.journal.segment import journal_directory

CALM_S = 3.0
"""Nothing goes wrong any more, and callers must be served again."""
_SERVED_WITHIN_S = 90.0
"""Far longer than that takes, even on a machine that does ten things at once."""
_LANDED_WITHIN_S = 90.0
_GIVEN_BACK_WITHIN_S = 90.0
_LOOKS_EVERY_S = 0.1


@dataclass
class Report:
    """How a run went.

    Attributes:
        broken: what must not be.
        notes: figures, for a reader.
        folder: where the logs are; gone if nothing was broken.
    """

    plan: Plan
    folder: Path
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def run(plan: Plan, *, with_small_disk: bool) -> Report:
    """Run the plan in a folder of its own."""
    report = Report(plan, Path(tempfile.mkdtemp(prefix=f"tollway-chaos-{plan.seed}-")))
    report.folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
    try:
        async with running_world(plan, report.folder, with_small_disk=with_small_disk) as world:
            await _Run(plan, world, report).run()
    except Exception as error:  # noqa: BLE001 -- whatever ends a run is a finding; the next seed runs all the same
        report.broken.append("".join(traceback.format_exception(error)))
    if not report.broken:
        shutil.rmtree(report.folder)
    return report


class _Run:
    """The parts of one run."""

    def __init__(self, plan: Plan, world: World, report: Report) -> None:
        self.plan = plan
        self.world = world
        self.report = report
        self.people = cast(plan.rng("cast"), f"s{plan.seed}")
        self.load = Load(world.url, world.keys, self.people, plan.rng("load"))
        self.watch = Watch(world.books, self.load.sent, self.people.budgets)
        self.quotas = Quotas(world.gateway, self.people)
        self.faults = Faults(world, self.change_quota)

    async def run(self) -> None:
        """The whole of it."""
        await asyncio.to_thread(self.quotas.make)
        await self.disturb()
        await self.wait_until_landed()
        await self.wait_until_given_back()
        code = await asyncio.to_thread(self.world.gateway.stop)
        if code != 0:
            self.report.broken.append(f"Tollway stopped with {code}")
        self.watch.look()
        self.report.broken += verdict.some(self.watch.broken)
        async with self.world.database_again():
            await asyncio.to_thread(self.judge)

    async def disturb(self) -> None:
        """Load and faults, then load alone."""
        watching = asyncio.create_task(self.watch.run())
        loading = asyncio.create_task(self.load.run())
        try:
            await self.faults.run(self.plan)
        finally:
            notes = "\n".join([str(self.plan), *self.faults.notes])
            (self.report.folder / "faults.log").write_text(notes + "\n")
        calm_from_s = time.monotonic()
        await asyncio.sleep(CALM_S)
        try:
            await eventually(lambda: self.load.served(FREE, calm_from_s), within_s=_SERVED_WITHIN_S)
        except AssertionError:
            self.report.broken.append(f"no answer in {_SERVED_WITHIN_S:g} s after the last fault")
        self.load.stopped = True
        await loading
        watching.cancel()
        self.report.broken += verdict.some([f"{mark}: its caller waited in vain" for mark in self.load.hung])

    async def change_quota(self, pick: float) -> str:
        """Change one of the budgets that are watched."""
        rng = self.plan.rng(f"quota {pick}")
        spending = rng.choice(list(self.watch.spendings.values()))
        return await self.quotas.change(spending, rng, self.faults.calm)

    async def wait_until_landed(self) -> None:
        """Until every call of the provider is in the ledger; if some never are, the verdict says so."""
        give_up_s = time.monotonic() + _LANDED_WITHIN_S
        while time.monotonic() < give_up_s:
            if not verdict.missing(await asyncio.to_thread(self.evidence)):
                return
            await asyncio.sleep(_LOOKS_EVERY_S)

    async def wait_until_given_back(self) -> None:
        """What dead workers had leased is back within the time that is promised."""
        give_up_s = time.monotonic() + _GIVEN_BACK_WITHIN_S
        while time.monotonic() < give_up_s:
            (row,) = await asyncio.to_thread(self.world.rows, holdings.LEASING_WORKERS_SQL)
            if row["workers"] <= WORKERS:
                return
            await asyncio.sleep(_LOOKS_EVERY_S)
        self.report.broken.append(f"{row['workers']} workers have leases, {WORKERS} live")

    def evidence(self) -> verdict.Evidence:
        """What is known of the requests by now."""
        return verdict.evidence(self.load, self.world.books, self.world.rows(verdict.ENTRIES_SQL))

    def judge(self) -> None:
        """Hold everything against everything."""
        found = self.evidence()
        ceilings = {name: spending.highest for name, spending in self.watch.spendings.items()}
        held = holdings.Holdings(
            people=self.people,
            ids=self.quotas.ids,
            changed=frozenset(self.quotas.changed),
            ceilings=ceilings,
            out_of_reach_us=self.faults.out_of_reach_us,
            windows=self.world.rows(holdings.WINDOWS_SQL),
            leases=self.world.rows(holdings.LEASES_SQL),
            events=self.world.rows(holdings.EVENTS_SQL),
            journaled=holdings.journaled(journal_directory(self.world.gateway.data_dir)),
        )
        self.report.broken += verdict.broken(found) + holdings.broken(found, held)
        kept = len(held.journaled)
        self.report.notes = [*_figures(found), f"{kept} entries compared with the journal"]


def _figures(found: verdict.Evidence) -> list[str]:
    statuses = Counter(each.status for tries in found.heard.values() for each in tries)
    free = Counter(
        f"{each.status} {each.error}".strip()
        for mark, tries in found.heard.items()
        for each in tries
        if found.sent[mark].caller is FREE and not found.sent[mark].idempotency_key
    )
    outcomes = Counter(entry["outcome"] for entries in found.entries.values() for entry in entries)
    sources = Counter(entry["usage_source"] for entries in found.entries.values() for entry in entries)
    calls = sum(len(each) for each in found.billed.values())
    return [
        f"{len(found.sent)} requests, {calls} calls of the provider, {sum(outcomes.values())} entries",
        f"heard: {dict(statuses.most_common())}",
        f"heard without a budget that ends, and without an idempotency key: {dict(free.most_common())}",
        f"outcomes: {dict(outcomes.most_common())}, counted by: {dict(sources.most_common())}",
    ]
