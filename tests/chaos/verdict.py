"""What must be true at the end of a run: the ledger, the provider's log and what callers heard, against each other."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.books import Books, price_pico
from chaos.cast import Request
from chaos.load import Heard, Load
from chaos.provider import Billed

_SHOWN_MAX = 4
Entry = Mapping[str, Any]
"""A row of `ledger_entry`."""

ENTRIES_SQL = "SELECT * FROM ledger_entry WHERE tags ? 'mark'"
_UNASKED = frozenset({"interrupted", "client_left", "upstream_error", "upstream_timeout", "upstream_unreachable"})
"""How a request may end that never reached the provider."""
_STATUSES = frozenset({0, 200, 402, 409, 429, 500, 502, 503, 504, 529})
"""What callers may hear. The provider says 429, 500 and 529 itself."""


@dataclass(frozen=True)
class Evidence:
    """Everything that is known about a run.

    Attributes:
        sent: requests by mark.
        heard: what callers heard, by mark.
        billed: the provider's calls, by mark.
        entries: rows of the ledger, by mark.
    """

    sent: Mapping[str, Request]
    heard: Mapping[str, Sequence[Heard]]
    billed: Mapping[str, Sequence[Billed]]
    entries: Mapping[str, Sequence[Entry]]


def evidence(load: Load, books: Books, rows: Iterable[Entry]) -> Evidence:
    """Sort what is known by request."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        entries[row["tags"]["mark"]].append(row)
    return Evidence(load.sent, load.heard, books.by_mark, entries)


def missing(found: Evidence) -> list[str]:
    """Requests that the provider served and the ledger has not."""
    return [mark for mark, calls in found.billed.items() if _accounted(found.entries.get(mark, ())) < len(calls)]


def _accounted(entries: Sequence[Entry]) -> int:
    """The calls of a provider that entries tell of: one an attempt, and the one that a killed worker had under way."""
    return sum(max(len(entry["attempts"]) + (entry["outcome"] == "interrupted"), 1) for entry in entries)


def broken(found: Evidence) -> list[str]:
    """Everything that is not as it must be, in words."""
    checks = (_once, _unasked, _counts, _told, _replays, _words)
    return [text for check in checks for text in some(list(check(found)))]


def some(texts: Sequence[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(texts) - _SHOWN_MAX
    return [*texts[:_SHOWN_MAX], *([f"… and {more} more of these"] if more > 0 else [])]


def _once(found: Evidence) -> Iterator[str]:
    """Each call of the provider is an attempt of an entry, and a request has one entry each time it was sent."""
    for mark in missing(found):
        calls, entries = found.billed[mark], found.entries.get(mark, ())
        yield f"{mark}: {len(calls)} calls of the provider, {len(entries)} entries of {_accounted(entries)} attempts"
    for mark, entries in found.entries.items():
        if mark not in found.sent:
            yield f"{mark}: an entry of a request that nobody sent"
        elif len(entries) > len(found.heard.get(mark, ())):
            yield f"{mark}: {len(entries)} entries, sent {len(found.heard.get(mark, ()))} times"
        if len({entry["entry_id"] for entry in entries}) < len(entries):
            yield f"{mark}: an entry twice"


def _unasked(found: Evidence) -> Iterator[str]:
    """An entry without a call of the provider says that nothing was served."""
    for mark, entries in found.entries.items():
        more = len(entries) - len(found.billed.get(mark, ()))
        outcomes = [entry["outcome"] for entry in entries]
        if more > 0 and sum(outcome in _UNASKED for outcome in outcomes) < more:
            yield f"{mark}: {more} entries more than calls of the provider, with outcomes {outcomes}"


def _counts(found: Evidence) -> Iterator[str]:
    """What the ledger calls the provider's count is the provider's count, and costs that."""
    for mark, entries in found.entries.items():
        calls = found.billed.get(mark, ())
        told = {(billed.input, billed.output): price_pico(billed) for billed in calls}
        for entry in entries:
            if entry["usage_source"] != "provider":
                continue
            counts = entry["usage_input"], entry["usage_output"]
            if counts not in told:
                yield f"{mark}: the ledger says the provider counted {counts}; it counted {list(told)}"
            elif entry["charge_pico"] != told[counts]:
                yield f"{mark}: charged {entry['charge_pico']} pico-dollars, the provider's price is {told[counts]}"


def _told(found: Evidence) -> Iterator[str]:
    """Whoever had a whole answer is in the ledger as that."""
    for mark, tries in found.heard.items():
        served = sum(each.served and not each.replayed for each in tries)
        fine = sum(entry["outcome"] == "ok" for entry in found.entries.get(mark, ()))
        if served > fine:
            yield f"{mark}: {served} whole answers, {fine} entries that say so"


def _replays(found: Evidence) -> Iterator[str]:
    """All answers to one idempotency key are the same bytes, and all but one are replays."""
    for mark, request in found.sent.items():
        if request.idempotency_key is None:
            continue
        answers = [each for each in found.heard.get(mark, ()) if each.served]
        if len({each.digest for each in answers}) > 1:
            yield f"{mark}: different answers to one idempotency key"
        if sum(not each.replayed for each in answers) > 1:
            yield f"{mark}: an idempotency key was served anew after its caller had the whole answer"


def _words(found: Evidence) -> Iterator[str]:
    """Faults are told as what they are."""
    odd: Counter[str] = Counter()
    for mark, tries in found.heard.items():
        for each in tries:
            by_provider = found.sent[mark].model == "broken"
            if each.status not in _STATUSES or (each.status == 500 and not by_provider):
                odd[f"{each.status} {each.error}"] += 1
    yield from (f"{count} callers heard {words}" for words, count in odd.items())
