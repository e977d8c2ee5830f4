"""Builds the price book: the base book with the overrides of the database laid over it."""

from pathlib import Path

from tollway.data import catalog as store
from tollway.data.session import Database
from tollway.ledger.price_base import PriceBase
from tollway.ledger.price_book import PriceBook
from tollway.services.price_base import load_price_base
from tollway.services.price_override_form import override_from_row


class PriceBookLoad:
    """Builds price books; keeps the base book, which does not change while the process lives.

    Args:
        database: holds the overrides.
        cache_dir: where the base book is kept between starts, usually the data directory.
    """

    def __init__(self, database: Database, cache_dir: Path | None = None) -> None:
        self._database = database
        self._cache_dir = cache_dir
        self._base: PriceBase | None = None

    async def base(self) -> PriceBase:
        """The base book, built or read at the first call.

        Raises:
            PriceBaseUnavailableError: it could not be built.
        """
        if self._base is None:
            self._base = await load_price_base(self._cache_dir)
        return self._base

    async def load(self) -> PriceBook:
        """A new book with the overrides as they are now.

        Raises:
            DatabaseUnavailableError: keep the book you have.
            PriceBaseUnavailableError: the base book could not be built.
        """
        base = await self.base()
        async with self._database.read() as session:
            rows = await store.all_price_overrides(session)
        return PriceBook(base, [override_from_row(row) for row in rows])
