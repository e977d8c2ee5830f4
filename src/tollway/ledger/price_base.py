"""The base book: published prices as data, with the rules by which a model name finds its price."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from tollway.ledger.price import PriceSheet, Rate

DAY_S = 86_400
MODEL_NAME_MAX_CHARS = 256
"""Longer names are no model's; it bounds the pattern matching on a name that a reply carries."""


class Match(msgspec.Struct, frozen=True, array_like=True):
    """A rule on a lower-case model name.

    Attributes:
        op: ``equals``, ``starts_with``, ``ends_with``, ``contains``, ``regex``, ``or``, ``and``.
        text: what to compare with, in lower case (but for ``regex``).
        parts: the rules that ``or`` and ``and`` join.
    """

    op: str
    text: str = ""
    parts: "tuple[Match, ...]" = ()

    def matches(self, name: str) -> bool:  # noqa: PLR0911 - one return an operation
        """Whether the name, given in lower case, fits."""
        match self.op:
            case "equals":
                return name == self.text
            case "starts_with":
                return name.startswith(self.text)
            case "ends_with":
                return name.endswith(self.text)
            case "contains":
                return self.text in name
            case "regex":
                return re.search(self.text, name) is not None
            case "or":
                return any(part.matches(name) for part in self.parts)
            case "and":
                return all(part.matches(name) for part in self.parts)
        message = f"Unknown match rule {self.op!r}."
        raise ValueError(message)


class When(msgspec.Struct, frozen=True, array_like=True):
    """The times at which a price holds, in UTC. Both conditions must be true; an absent one always is.

    Attributes:
        since: epoch seconds from which it holds.
        daily: seconds of the day from which and until before which it holds; the second may lie before the first,
            then it holds across midnight.
    """

    since: float | None = None
    daily: tuple[int, int] | None = None

    def holds_at(self, at: float) -> bool:
        """Whether it includes the instant (epoch seconds)."""
        if self.since is not None and at < self.since:
            return False
        if self.daily is None:
            return True
        start, end = self.daily
        second = at % DAY_S
        return start <= second < end if start <= end else second >= start or second < end

    def edges(self, at: float) -> Iterator[float]:
        """The instants around `at` at which it may begin or cease to hold."""
        if self.since is not None:
            yield self.since
        if self.daily is not None:
            midnight = at - at % DAY_S
            for day in (-DAY_S, 0, DAY_S):
                for second in self.daily:
                    yield midnight + day + second


class PriceSpan(msgspec.Struct, frozen=True, array_like=True):
    """Prices for a time, and for a service tier if one is named.

    Attributes:
        when: the times.
        rates: kind → rate, without a reference: that is the model's.
        service_tier: the reply's ``service_tier`` for which these prices replace the model's others.
        unmapped: price dimensions of the source that Tollway does not count.
    """

    when: When
    rates: dict[str, Rate]
    service_tier: str = ""
    unmapped: tuple[str, ...] = ()


class BookModel(msgspec.Struct, frozen=True, array_like=True):
    """One model of one provider.

    Attributes:
        id: its name in the book.
        match: which names mean it.
        spans: prices by time; the last one that holds wins, and the first where none does.
        variants: prices by service tier, laid over those of the span; the first that holds wins, for each kind.
        context_tokens: what it can take in at the most, 0 if the source does not say.
    """

    id: str
    match: Match
    spans: tuple[PriceSpan, ...]
    variants: tuple[PriceSpan, ...] = ()
    context_tokens: int = 0


class BookProvider(msgspec.Struct, frozen=True, array_like=True):
    """One provider.

    Attributes:
        id: its name in the book.
        match: other names of it.
        models: in the order in which their rules are tried.
        fallbacks: providers whose models it also sells at their prices, in the order in which they are tried.
    """

    id: str
    match: Match | None
    models: tuple[BookModel, ...]
    fallbacks: tuple[str, ...] = ()


class BaseBook(msgspec.Struct, frozen=True, array_like=True):
    """A whole book, as it is stored.

    Attributes:
        version: its name and version, for instance ``genai-prices@0.2.3``.
        providers: all of them.
    """

    version: str
    providers: tuple[BookProvider, ...]


class PriceBase:
    """Looks prices up in a `BaseBook`. Slow enough (up to a millisecond) that `PriceBook` remembers what it says."""

    def __init__(self, book: BaseBook) -> None:
        self.version = book.version
        self._providers = {provider.id: provider for provider in book.providers}

    def model_ids(self, provider: str) -> tuple[str, ...]:
        """The names of the models that the book lists under the provider itself."""
        found = self._provider(provider)
        return tuple(model.id for model in found.models) if found else ()

    def sheet(self, provider: str, model: str, *, at: float, service_tier: str = "") -> PriceSheet | None:
        """The prices at an instant (epoch seconds), or ``None`` if the book does not know the model.

        A sheet without rates: the book knows the model and not what it costs.
        """
        found = self._find(provider, model)
        if found is None:
            return None
        owner, base = found
        present = next((each for each in reversed(base.spans) if each.when.holds_at(at)), base.spans[0])
        rates = dict(present.rates)
        ref = f"{self.version}:{owner.id}/{base.id}"
        refs = dict.fromkeys(rates, ref)
        variants = [each for each in base.variants if service_tier and each.service_tier == service_tier]
        for variant in reversed(variants):
            if variant.when.holds_at(at):
                rates |= variant.rates
                refs |= dict.fromkeys(variant.rates, f"{ref}[{service_tier}]")
        valid_from, valid_until = _span((each.when for each in (*base.spans, *variants)), at)
        return PriceSheet(
            provider=provider,
            model=base.id,
            rates={kind: Rate(rate.price, rate.tiers, refs[kind]) for kind, rate in rates.items()},
            valid_until=valid_until,
            valid_from=valid_from,
            unmapped=present.unmapped,
            context_tokens=base.context_tokens,
        )

    def _provider(self, name: str) -> BookProvider | None:
        name = name.lower().strip()
        found = self._providers.get(name)
        if found is None and name:
            found = next((each for each in self._providers.values() if each.match and each.match.matches(name)), None)
        return found

    def _find(self, provider: str, model: str) -> tuple[BookProvider, BookModel] | None:
        owner = self._provider(provider)
        if owner is None or not 0 < len(model) <= MODEL_NAME_MAX_CHARS:
            return None
        sellers = (owner, *(self._providers[other] for other in owner.fallbacks if other in self._providers))
        name = model.lower()
        dashed = _dashed_date(name)
        for each in (name,) if dashed == name else (name, dashed):
            for seller in sellers:
                for candidate in seller.models:
                    if candidate.match.matches(each):
                        return seller, candidate
        return None


_COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def _dashed_date(name: str) -> str:
    """The name with a date suffix like ``-20251211`` written ``-2025-12-11``, as most names in the book are."""

    def dashed(found: re.Match[str]) -> str:
        year, month, day = found[2], found[3], found[4]
        try:
            datetime(int(year), int(month), int(day), tzinfo=UTC)
        except ValueError:
            return found[0]
        return f"-{year}-{month}-{day}"

    return _COMPACT_DATE.sub(dashed, name)


def _span(times: Iterable[When], at: float) -> tuple[float, float]:
    """The last edge up to `at` and the first one after it: between them no price changes."""
    edges = [edge for when in times for edge in when.edges(at)]
    before = max((edge for edge in edges if edge <= at), default=float("-inf"))
    after = min((edge for edge in edges if edge > at), default=float("inf"))
    return before, after
