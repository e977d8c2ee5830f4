"""What models cost now."""

import time
from collections.abc import Sequence

import msgspec

from tollway.data import price_overrides, providers
from tollway.data.schema.provider import Provider
from tollway.data.session import Database, ReadSession
from tollway.errors import NotFoundError
from tollway.ledger.price import PriceSheet
from tollway.ledger.price_book import PriceBook
from tollway.ledger.price_override import ANY
from tollway.services.price_book_load import PriceBookLoad
from tollway.services.provider_list import require_provider


class EffectivePrice(msgspec.Struct, frozen=True):
    """The prices of one model of one provider."""

    provider: str
    model: str
    sheet: PriceSheet

    @property
    def name(self) -> str:
        """``provider/model``."""
        return f"{self.provider}/{self.model}"


class PriceList:
    """Reads effective prices: the base book with the overrides that apply."""

    def __init__(self, database: Database, price_book_load: PriceBookLoad) -> None:
        self._database = database
        self._price_book_load = price_book_load

    async def find(self, organization_id: str, provider: str, model: str) -> EffectivePrice:
        """The price of one model.

        Raises:
            NotFoundError: there is no such provider, or no price is known.
        """
        book = await self._price_book_load.load()
        async with self._database.read() as session:
            owner = await require_provider(session, organization_id, provider)
        price = _price(book, owner, model)
        if price is None:
            raise NotFoundError(
                f"No price is known for {owner.name}/{model}.",
                next_step=f"Set one: `tollway prices set {owner.name}/{model} --input USD --output USD`.",
            )
        return price

    async def page(
        self, organization_id: str, *, provider: str | None, after: str | None, limit: int
    ) -> Sequence[EffectivePrice]:
        """Prices of the models known for the organization's providers, by name, one more than `limit`.

        Known are the models of the base book, the declared ones, and those with an override.

        Raises:
            NotFoundError: there is no such provider.
        """
        book = await self._price_book_load.load()
        async with self._database.read() as session:
            if provider is None:
                owners = await providers.all_of(session, organization_id)
            else:
                owners = [await require_provider(session, organization_id, provider)]
            known = [(owner, model) for owner in owners for model in await _models(session, book, owner)]
        prices: list[EffectivePrice] = []
        for owner, model in sorted(known, key=lambda pair: f"{pair[0].name}/{pair[1]}"):
            if after is not None and f"{owner.name}/{model}" <= after:
                continue
            price = _price(book, owner, model)
            if price is not None:
                prices.append(price)
            if len(prices) > limit:
                break
        return prices


async def _models(session: ReadSession, book: PriceBook, owner: Provider) -> set[str]:
    overridden = await price_overrides.models_of(session, owner.organization_id, owner.name)
    declared = await providers.models_of(session, owner.id)
    return {*book.models(owner.price_provider), *declared, *overridden} - {ANY}


def _price(book: PriceBook, owner: Provider, model: str) -> EffectivePrice | None:
    sheet = book.sheet(
        owner.price_provider,
        model,
        organization_id=owner.organization_id,
        provider_name=owner.name,
        at=time.time(),
    )
    return None if sheet is None else EffectivePrice(owner.name, model, sheet)
