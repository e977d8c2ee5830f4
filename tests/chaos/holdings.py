"""What must be true of budgets and limits at the end of a run: their windows against the ledger and the provider."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.books import price_pico
from chaos.cast import INPUT_PICO, OUTPUT_PICO, Budget, Cast, Limit, Request, Scope
from chaos.verdict import Entry, Evidence, some
from tollway.journal.sent import SentSegments
from tollway.ledger.entry import LedgerEntry

Row = Mapping[str, Any]

WINDOWS_SQL = "SELECT quota_id::text, subject, start_us, granted, settled FROM quota_window"
LEASES_SQL = "SELECT worker_id::text, quota_id::text, subject, start_us, granted, spent, held FROM quota_lease"
EVENTS_SQL = "SELECT subject, detail FROM audit_event WHERE action = 'budget.threshold'"
LEASING_WORKERS_SQL = "SELECT count(DISTINCT worker_id) AS workers FROM quota_lease"
_TEMPLATE_TOKENS = 64
"""Input tokens that Tollway may hold beyond the bytes of the body."""
_ROUNDED_PICO = 100
"""An upper bound may be rounded up in each of its parts."""
_KEPT_S, _BATCH_ENTRIES = 3_600.0, 1_000
_SKEW_US = 50_000
"""How far a worker's idea of the database's clock may be off."""
_WINDOW_US = {"second": 1_000_000, "minute": 60_000_000}


@dataclass(frozen=True)
class Holdings:
    """What is known of budgets and limits after a run.

    Attributes:
        ids: of the budgets and limits, by name.
        changed: names of budgets whose amount was changed.
        ceilings: the highest amount of each budget, by name, in pico-dollars.
        out_of_reach_us: epoch microseconds in which workers may not have reached the database.
        windows, leases, events: rows of the database after the stop.
        journaled: the entries that the journal still has, by id.
    """

    people: Cast
    ids: Mapping[str, str]
    changed: frozenset[str]
    ceilings: Mapping[str, int]
    out_of_reach_us: Sequence[tuple[int, int]]
    windows: Sequence[Row]
    leases: Sequence[Row]
    events: Sequence[Row]
    journaled: Mapping[str, LedgerEntry]

    def of(self, name: str) -> list[Row]:
        """The windows of a budget or limit."""
        return [window for window in self.windows if window["quota_id"] == self.ids[name]]


def journaled(journal: Path) -> dict[str, LedgerEntry]:
    """What the journal keeps of what is in the database; a disk that was nearly full has kept less."""
    chunks = (
        chunk
        for segment in SentSegments(journal, window_s=_KEPT_S).newest_first()
        for chunk in segment.chunks(max_entries=_BATCH_ENTRIES)
    )
    return {entry.entry_id: entry for chunk in chunks for entry in chunk.entries}


def broken(found: Evidence, held: Holdings) -> list[str]:
    """Everything that is not as it must be, in words."""
    checks = (
        _leaked(held),
        _settled(found, held),
        _settled_exactly(found, held),
        _exceeded(held),
        _rolled(found, held),
        _limited(found, held),
        _announced(held),
    )
    return [text for check in checks for text in some(list(check))]


def _leaked(held: Holdings) -> Iterator[str]:
    """After a stop nobody has anything at hand."""
    names = {quota_id: name for name, quota_id in held.ids.items()}
    for window in held.windows:
        if window["granted"]:
            name = names.get(window["quota_id"])  # none: of who asks what workers know
            yield f"{name!r} {window['subject']}: {window['granted']} still granted after the stop"
    if held.leases:
        workers = Counter(lease["worker_id"] for lease in held.leases)
        yield f"{len(held.leases)} leases are left after the stop, by worker: {dict(workers)}"


def _settled(found: Evidence, held: Holdings) -> Iterator[str]:
    """What is settled is what the entries say, and never less than what the provider billed."""
    for budget in held.people.budgets:
        settled = sum(window["settled"] for window in held.of(budget.name))
        least, most = _settled_bounds(found, budget)
        if not least <= settled <= most:
            yield f"{budget.name!r}: settled {settled} pico-dollars; entries say from {least} to {most}"
    for limit in held.people.limits:
        if limit.unit == "parallel" and any(window["settled"] for window in held.of(limit.name)):
            yield f"{limit.name!r}: something is settled of what is given back"


def _settled_exactly(found: Evidence, held: Holdings) -> Iterator[str]:
    """What is settled is what the journal said, to the last pico-dollar, where the journal has kept all of it."""
    stored = {str(entry["entry_id"]) for entries in found.entries.values() for entry in entries}
    if lost := held.journaled.keys() - stored:
        yield f"{len(lost)} entries of the journal are not in the ledger, among them {min(lost)}"
    if stored - held.journaled.keys():
        return
    said: Counter[str] = Counter()
    for entry in held.journaled.values():
        for settlement in entry.settlements:
            for window in settlement.refs:
                said[window.quota_id] += settlement.amount
    for budget in held.people.budgets:
        settled = sum(window["settled"] for window in held.of(budget.name))
        if settled != said[held.ids[budget.name]]:
            yield f"{budget.name!r}: settled {settled} pico-dollars, journaled {said[held.ids[budget.name]]}"


def _settled_bounds(found: Evidence, budget: Budget) -> tuple[int, int]:
    """What the entries say, where the provider counted; between its bill and the bound of the request where not."""
    least = most = 0
    for mark, entries in found.entries.items():
        request = found.sent[mark]
        if not budget.scope.counts(request):
            continue
        charges = sum(entry["charge_pico"] for entry in entries)
        if not (budget.hard and budget.strict):
            least, most = least + charges, most + charges
            continue
        least += max(charges, sum(price_pico(billed) for billed in found.billed.get(mark, ())))
        most += sum(_dearest(entry, request) for entry in entries)
    return least, most


def _dearest(entry: Entry, request: Request) -> int:
    if entry["usage_source"] != "estimated":
        return int(entry["charge_pico"])
    return (entry["request_bytes"] + _TEMPLATE_TOKENS) * INPUT_PICO + request.output_max * OUTPUT_PICO + _ROUNDED_PICO


def _exceeded(held: Holdings) -> Iterator[str]:
    """No hard budget has more settled than was ever its amount."""
    for budget in held.people.budgets:
        if not (budget.hard and budget.outlasts_a_run):
            continue
        settled: Counter[str] = Counter()
        for window in held.of(budget.name):
            settled[window["subject"]] += window["settled"]
        for subject, amount in settled.items():
            ceiling = held.ceilings.get(budget.name, budget.amount)
            if amount > ceiling:
                yield f"{budget.name!r} {subject}: settled {amount} of {ceiling} pico-dollars"


def _rolled(found: Evidence, held: Holdings) -> Iterator[str]:
    """A rolling budget that is shorter than a run holds for every stretch of its length."""
    for budget in held.people.budgets:
        if budget.outlasts_a_run:
            continue
        spent = sorted(_spent(found, budget.scope))
        begin, inside = 0, 0
        for at_us, amount in spent:
            inside += amount
            while spent[begin][0] <= at_us - budget.length_s * 1_000_000:
                inside -= spent[begin][1]
                begin += 1
            if inside > budget.amount:
                yield f"{budget.name!r}: the provider billed {inside} of {budget.amount} in its length up to {at_us}"


def _spent(found: Evidence, scope: Scope) -> Iterator[tuple[int, int]]:
    """When a request came, and what the provider billed for it."""
    for mark, calls in found.billed.items():
        if scope.counts(found.sent[mark]):
            for entry, billed in zip(found.entries.get(mark, ()), calls, strict=False):
                yield _admitted_us(entry), price_pico(billed)


def _limited(found: Evidence, held: Holdings) -> Iterator[str]:
    """A small limit of requests is never exceeded in a window in which the database was there all the time."""
    for limit in held.people.limits:
        if limit.unit != "requests":
            continue
        length_us = _WINDOW_US[limit.period]
        held_in: Counter[int] = Counter()
        for came_us, asked_us in _stretches(found, limit):
            start_us = came_us - came_us % length_us
            if start_us + _SKEW_US <= came_us <= asked_us < start_us + length_us:
                held_in[start_us] += 1
        for start_us, count in held_in.items():
            calm = not any(begin < start_us + length_us and start_us < end for begin, end in held.out_of_reach_us)
            if calm and count > limit.amount:
                yield f"{limit.name!r}: {count} requests of {limit.amount} in the window that began at {start_us}"


def _stretches(found: Evidence, limit: Limit) -> Iterator[tuple[int, int]]:
    """When a request came, and when the provider had it: somewhere between it was counted."""
    for mark, entries in found.entries.items():
        calls = found.billed.get(mark, ())
        if limit.scope.counts(found.sent[mark]) and len(entries) == len(calls) == 1:
            yield _admitted_us(entries[0]), calls[0].at_us


def _admitted_us(entry: Entry) -> int:
    return int(entry["admitted_at"].timestamp() * 1_000_000)


def _announced(held: Holdings) -> Iterator[str]:
    """A threshold is announced once for a window; and is announced, if the amount stayed as it was."""
    announced: dict[tuple[str, str], Counter[tuple[object, ...]]] = defaultdict(Counter)
    for event in held.events:
        detail = event["detail"]
        subject = tuple(detail["each"].values())
        announced[event["subject"], detail["window_start"]][subject, detail["percent"]] += 1
    for budget in held.people.budgets:
        counts = [count for (quota_id, _), count in announced.items() if quota_id == held.ids[budget.name]]
        if any(times > 1 for count in counts for times in count.values()) and budget.outlasts_a_run:
            yield f"{budget.name!r}: a threshold was announced twice: {counts}"
        largest = max((window["settled"] for window in held.of(budget.name)), default=0)
        if budget.name not in held.changed and largest * 2 >= budget.amount and not counts:
            yield f"{budget.name!r}: settled {largest} of {budget.amount}, and no threshold was announced"
