"""The price book: overrides laid over a base book, remembered per model."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.price_base import MODEL_NAME_MAX_CHARS, PriceBase
from tollway.ledger.price_override import ANY, PriceOverride
from tollway.ledger.usage import KINDS

LOCAL = "local"
"""The price provider of models that run on the installation's own machines: explicitly free."""
LOCAL_REF = "builtin:local"
CACHE_ENTRIES = 10_000
"""Remembered sheets: about 10 MB at the most, since sheets of the same model share their rates' text."""

_LOCAL_RATES = {kind: Rate(0, (), LOCAL_REF) for kind in KINDS if kind != "requests"}
_DATE_SUFFIX = re.compile(r"[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6})$")


class _Asked(NamedTuple):
    """One question to the book, but for the time."""

    organization_id: str
    provider_name: str
    price_provider: str
    model: str
    model_sent: str
    service_tier: str


class PriceBook:
    """Finds the prices of a model for an organization.

    Not changed after it is built: a change of overrides makes a new book. Not for use from several threads at once.
    """

    def __init__(self, base: PriceBase, overrides: Iterable[PriceOverride] = ()) -> None:
        self._base = base
        self._overrides = sorted(overrides, key=_precedence)
        self._sheets: dict[tuple[str, ...], tuple[float, float, PriceSheet | None]] = {}

    def sheet(
        self,
        price_provider: str,
        model: str,
        *,
        organization_id: str,
        provider_name: str,
        at: float,
        model_sent: str = "",
        service_tier: str = "",
    ) -> PriceSheet | None:
        """The prices of a model at an instant, or ``None`` if there are none: then it must not be taken for free.

        The base book is asked for `model`, and for `model_sent` if it does not know that one. An override names the
        model as `model` or as `model_sent`, with or without its date, or by the base book's name. For each kind of
        usage the most specific override wins, then the latest to begin; a kind without an override has its base price.

        Args:
            price_provider: the base book's name of the provider.
            model: the model that answered, or the one that is about to be asked.
            organization_id: who asks.
            provider_name: the provider's name within the organization.
            at: epoch seconds.
            model_sent: the model name that was sent upstream, if another one answered.
            service_tier: the ``service_tier`` of the reply: some cost more, or less.
        """
        if len(model) + len(model_sent) + len(service_tier) > 2 * MODEL_NAME_MAX_CHARS:
            return None
        key = organization_id, provider_name, price_provider, model, model_sent, service_tier
        held = self._sheets.get(key)
        if held is not None and held[0] <= at < held[1]:
            return held[2]
        found = self._find(_Asked(*key), at)
        if len(self._sheets) >= CACHE_ENTRIES:
            del self._sheets[next(iter(self._sheets))]
        self._sheets[key] = found
        return found[2]

    def models(self, price_provider: str) -> tuple[str, ...]:
        """The models that the base book lists for a provider."""
        return self._base.model_ids(price_provider)

    def _find(self, asked: _Asked, at: float) -> tuple[float, float, PriceSheet | None]:
        """The sheet, with the time from which and until before which it is the answer."""
        sheet = self._base_sheet(asked, at)
        names = _names(asked, sheet)
        laid_over = [each for each in self._overrides if each.model.lower() in names and _is_for(each, asked)]
        edges = [edge for each in laid_over for edge in (each.valid_from, each.valid_to) if edge is not None]
        start, end = (sheet.valid_from, sheet.valid_until) if sheet else (float("-inf"), float("inf"))
        start = max([start, *(edge for edge in edges if edge <= at)])
        end = min([end, *(edge for edge in edges if edge > at)])
        rates = dict(sheet.rates) if sheet else {}
        for each in laid_over:
            if each.holds_at(at):
                ref = f"override:{each.id}"
                rates |= {kind: Rate(price, each.tiers.get(kind, ()), ref) for kind, price in each.rates.items()}
        if not rates:
            return start, end, None
        return (
            start,
            end,
            PriceSheet(
                provider=asked.provider_name,
                model=sheet.model if sheet else asked.model,
                rates=rates,
                valid_until=end,
                valid_from=start,
                unmapped=sheet.unmapped if sheet else (),
                context_tokens=sheet.context_tokens if sheet else 0,
            ),
        )

    def _base_sheet(self, asked: _Asked, at: float) -> PriceSheet | None:
        if asked.price_provider == LOCAL:
            return PriceSheet(LOCAL, asked.model, _LOCAL_RATES)
        for name in (asked.model, asked.model_sent):
            sheet = self._base.sheet(asked.price_provider, name, at=at, service_tier=asked.service_tier)
            if sheet is not None:
                return sheet
        return None


def _precedence(override: PriceOverride) -> tuple[tuple[bool, bool, bool], float, str]:
    start = float("-inf") if override.valid_from is None else override.valid_from
    return override.specificity, start, override.id


def _is_for(override: PriceOverride, asked: _Asked) -> bool:
    if override.organization_id is None:
        return override.provider in {ANY, asked.provider_name, asked.price_provider}
    return override.organization_id == asked.organization_id and override.provider in {ANY, asked.provider_name}


def _names(asked: _Asked, sheet: PriceSheet | None) -> set[str]:
    """What an override may call the model, in lower case."""
    given = {asked.model.lower(), asked.model_sent.lower()} - {""}
    dateless = {_DATE_SUFFIX.sub("", name) for name in given}
    return {ANY, *given, *dateless, *((sheet.model.lower(),) if sheet else ())}
