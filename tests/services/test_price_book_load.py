"""The price book holds the overrides of the database."""

import asyncio
import time
from pathlib import Path

import pytest

from tollway.data.schema.price import PriceOverride as PriceOverrideRow
from tollway.data.session import Database, create_engine
from tollway.errors import DatabaseUnavailableError
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.price_book import PriceBook
from tollway.services.price_book_load import PriceBookLoad


def price_of(book: PriceBook, model: str) -> PriceSheet | None:
    return book.sheet("openai", model, organization_id="", provider_name="openai", at=time.time())


def test_an_override_of_the_database_is_in_the_next_book_and_the_base_price_in_the_one_before(
    database: Database, tmp_path: Path
) -> None:
    async def story() -> tuple[PriceBook, PriceBook, str]:
        load = PriceBookLoad(database, tmp_path)
        before = await load.load()
        async with database.write() as session, session.begin():
            row = PriceOverrideRow(
                provider="openai",
                model="gpt-4o-mini",
                rates={"input": "0.123456"},
                tiers={"input": [[1000, "0.2"]]},
                source="a contract",
            )
            session.add(row)
            await session.flush()
            override_id = row.id
        return before, await load.load(), override_id

    before, after, override_id = asyncio.run(story())
    old, new = price_of(before, "gpt-4o-mini"), price_of(after, "gpt-4o-mini")
    assert old is not None
    assert new is not None
    assert old.rates["input"].ref.endswith("openai/gpt-4o-mini")
    assert new.rates["input"] == Rate(123_456_000_000, ((1_000, 200_000_000_000),), f"override:{override_id}")
    assert new.rates["output"] == old.rates["output"]


def test_without_the_database_there_is_no_new_book_and_the_fault_says_why(tmp_path: Path) -> None:
    engine = create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1, timeout_s=1.0)
    with pytest.raises(DatabaseUnavailableError):
        asyncio.run(PriceBookLoad(Database(engine), tmp_path).load())
