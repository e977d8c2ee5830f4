"""Enter what a batch cost in the ledger, when its results are read: one entry for each model, once.

The time and the id of an entry follow from the file and the model, and the ledger takes such a pair in once: whoever
reads the results again, at the same time or after a crash, enters nothing new.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import msgspec
from msgspec.structs import astuple

from tollway.constants import BATCH_TAG
from tollway.identity.principal import Principal
from tollway.ledger.entry import Attempt, ChargeLine, LedgerEntry, Outcome, UsageSource
from tollway.ledger.money import ENTRY_MAX_PICO, charge
from tollway.ledger.price import PriceSheet
from tollway.ledger.quota import Facts, Unit
from tollway.ledger.rating import rate
from tollway.ledger.settlement import Settlement, charges
from tollway.ledger.usage import Usage
from tollway.ledger.window import named_window
from tollway.providers.openai_compatible.stored_objects import Result, read_results
from tollway.providers.registry import ProviderSpec
from tollway.routing.catalog import Deployment
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.record import Recorder
from tollway.services.leases.keeper import LeaseKeeper
from tollway.services.live_catalog import LiveCatalog

_NAMESPACE = uuid.UUID("6a3f0f5e-4b0e-5c52-9d0e-2f0a5a1f7c11")
_TIER = "batch"
"""The service tier whose prices hold; a model that has none pays its usual prices."""
_OK = 200


class Results(msgspec.Struct, frozen=True):
    """A file of results. Attributes: batch_id: whose; file_id: its id; at: when it was first known of."""

    batch_id: str
    file_id: str
    at: datetime
    body: bytes


class BatchMeter:
    """Meters batches."""

    def __init__(self, live: LiveCatalog, keeper: LeaseKeeper, recorder: Recorder, files: FairThread) -> None:
        """Args: files: where results are read, which may be many megabytes."""
        self._live = live
        self._keeper = keeper
        self._recorder = recorder
        self._files = files

    async def enter(self, principal: Principal, deployment: Deployment, spec: ProviderSpec, results: Results) -> None:
        """Enter what the results cost.

        Raises:
            JournalUnavailableError: it cannot be entered now.
        """
        found = await self._files.run(principal.organization_id, partial(_by_model, results.body, spec))
        await self._recorder.enter(
            [await self._entry(principal, deployment, results, model, answers) for model, answers in found]
        )

    async def _entry(
        self, principal: Principal, deployment: Deployment, results: Results, model: str, answers: Sequence[Result]
    ) -> LedgerEntry:
        sheet = self._live.price_book.sheet(
            deployment.price_provider,
            model,
            organization_id=principal.organization_id,
            provider_name=deployment.name,
            at=results.at.timestamp(),
            service_tier=_TIER,
        )
        usages = [answer.usage for answer in answers if answer.usage is not None]
        lines, priced = await self._files.run(principal.organization_id, partial(_charged, usages, sheet))
        total = sum(line.amount for line in lines)
        if total > ENTRY_MAX_PICO:  # absurd counts at an absurd price: flagged, never a wrong sum
            lines, priced, total = (), False, 0
        entry_id = str(uuid.uuid5(_NAMESPACE, f"{deployment.provider_id} {results.batch_id} {results.file_id} {model}"))
        asked = f"{deployment.name}/{model}"
        return LedgerEntry(
            entry_id=entry_id,
            request_id=entry_id,
            admitted_at_us=round(results.at.timestamp() * 1_000_000),
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            key_id=principal.key_id,
            surface="batches",
            model_asked=asked,
            provider=deployment.name,
            model_sent=model,
            model_answered=model,
            user_tag="",
            tags=((BATCH_TAG, results.batch_id),),
            stream=False,
            outcome=Outcome.OK,
            status=_OK,
            error="",
            attempts=(Attempt(deployment.name, model, _OK, "", 0),),
            usage=_sum(usages),
            usage_source=UsageSource.PROVIDER if len(usages) == len(answers) else UsageSource.ESTIMATED,
            priced=priced and len(usages) == len(answers),
            charge=total,
            lines=lines,
            provider_cost=None,
            duration_us=0,
            first_byte_us=None,
            request_bytes=0,
            response_bytes=len(results.body),
            settlements=self._settlements(principal, deployment, model, total),
        )

    def _settlements(
        self, principal: Principal, deployment: Deployment, model: str, total: int
    ) -> tuple[Settlement, ...]:
        """What the budgets are charged in their present windows: none of it was held."""
        facts = Facts(
            principal.organization_id,
            principal.project_id,
            principal.origin_id or principal.key_id,
            "",
            (),
            deployment.name,
            model,
            f"{deployment.name}/{model}",
        )
        now_us = self._keeper.now_us()
        parts = []
        for quota in self._keeper.book.applying(facts):
            if quota.unit is Unit.USD:
                window, _ = named_window(quota, quota.subject(facts), now_us)
                parts.append((quota, window))
        if not total:
            return ()
        return tuple([Settlement(each.windows, total, leased=False) for each in charges(parts, leased=False)])


def _by_model(body: bytes, spec: ProviderSpec) -> list[tuple[str, list[Result]]]:
    found: dict[str, list[Result]] = {}
    for result in read_results(body, spec):
        found.setdefault(result.model.replace("\x00", "")[:512], []).append(result)
    return sorted(found.items())


def _charged(usages: Iterable[Usage], sheet: PriceSheet | None) -> tuple[tuple[ChargeLine, ...], bool]:
    """The lines of a charge, each answer at the price that its own size has; and whether all of it has a price."""
    if sheet is None:
        return (), False
    quantities: dict[tuple[str, int, str], int] = {}
    priced = True
    for usage in usages:
        rated = rate(usage, sheet)
        priced = priced and rated.priced
        for line in rated.lines:
            key = (line.kind, line.price, line.ref)
            quantities[key] = quantities.get(key, 0) + line.quantity
    lines = [
        ChargeLine(kind, quantity, price, charge(quantity, price), ref)
        for (kind, price, ref), quantity in quantities.items()
    ]
    return tuple(lines), priced


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(*map(sum, zip(*map(astuple, usages), strict=True))) if usages else Usage(requests=0)
