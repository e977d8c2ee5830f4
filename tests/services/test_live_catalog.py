"""A worker's memory follows the changes of the control plane, whatever goes wrong on the way."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from support.waiting import eventually
from tollway.config.limits import LimitSettings
from tollway.data.changes import Change
from tollway.errors import DatabaseUnavailableError
from tollway.identity.principal import Principal
from tollway.ledger.price_base import BaseBook, PriceBase
from tollway.ledger.price_book import PriceBook
from tollway.providers.transport import Transport
from tollway.providers.transport.client import _around_length
from tollway.routing.catalog import Catalog
from tollway.services.authenticate import Authenticator
from tollway.services.live_catalog import LiveCatalog


class Source:
    """Stands for the database: catalogs with rising versions, or the fault that is set."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.asked = 0
        self.announced: asyncio.Queue[Change] = asyncio.Queue()

    async def load_catalog(self) -> Catalog:
        self.asked += 1
        if self.fault:
            raise self.fault
        return Catalog(version=self.asked)

    async def load_price_book(self) -> PriceBook:
        return PriceBook(PriceBase(BaseBook("empty", ())))

    async def follow_quotas(self, change: Change) -> None:
        assert change.noun

    async def find_keys(self, digests: Sequence[bytes]) -> dict[bytes, Principal]:
        assert digests
        return {}

    async def listen(self) -> AsyncIterator[Change]:
        while True:
            yield await self.announced.get()


@pytest.mark.parametrize("fault", [DatabaseUnavailableError("away"), ValueError("a row nobody expected")])
async def test_a_change_that_cannot_be_read_leaves_the_memory_as_it_was_and_the_next_one_is_heard(
    fault: Exception,
) -> None:
    source = Source()
    live = LiveCatalog(
        load_catalog=source.load_catalog,
        load_price_book=source.load_price_book,
        follow_quotas=source.follow_quotas,
        listen=source.listen,
        authenticator=Authenticator(b"p" * 32, source.find_keys),
    )
    await live.refresh()
    following = asyncio.create_task(live.run())
    source.fault = fault
    source.announced.put_nowait(Change("catalog"))
    await eventually(lambda: source.asked == 2)
    assert live.catalog.version == 1

    source.fault = None
    source.announced.put_nowait(Change("catalog"))
    await eventually(lambda: live.catalog.version == 3 or following.done())
    assert live.catalog.version == 3
    following.cancel()


async def test_who_began_to_read_before_a_change_has_not_the_last_word() -> None:
    source, reading, go_on = Source(), asyncio.Event(), asyncio.Event()

    async def load_catalog() -> Catalog:
        read = await source.load_catalog()
        if read.version == 1:
            reading.set()
            await go_on.wait()
        return read

    live = LiveCatalog(
        load_catalog=load_catalog,
        load_price_book=source.load_price_book,
        follow_quotas=source.follow_quotas,
        listen=source.listen,
        authenticator=Authenticator(b"p" * 32, source.find_keys),
    )
    slow = asyncio.create_task(live.refresh())
    await reading.wait()
    later = asyncio.create_task(live.catch_up())
    for _ in range(20):  # as far as it gets
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(slow, later)
    assert live.catalog.version == 2


async def test_names_that_do_not_exist_cannot_keep_the_database_busy() -> None:
    source = Source()
    live = LiveCatalog(
        load_catalog=source.load_catalog,
        load_price_book=source.load_price_book,
        follow_quotas=source.follow_quotas,
        listen=source.listen,
        authenticator=Authenticator(b"p" * 32, source.find_keys),
    )
    began_s = time.monotonic()
    await live.catch_up()
    await asyncio.gather(*(live.catch_up() for _ in range(50)))
    assert source.asked == 2
    assert time.monotonic() - began_s > 0.4  # the second time not at once


async def test_heads_that_show_a_credential_are_forgotten_when_the_catalog_is_read_again() -> None:
    source, transport, seen = Source(), Transport(LimitSettings()), []

    def forget(catalog: Catalog) -> None:
        seen.append(catalog.version)
        transport.forget()

    live = LiveCatalog(
        load_catalog=source.load_catalog,
        load_price_book=source.load_price_book,
        follow_quotas=source.follow_quotas,
        listen=source.listen,
        authenticator=Authenticator(b"p" * 32, source.find_keys),
        forget=forget,
    )
    for _ in range(2):
        transport.post("http://127.0.0.1:9/v1", headers={"authorization": "Bearer old"}, body=b"", provider="p")
    assert _around_length.cache_info().currsize >= 1
    await live.refresh()
    assert _around_length.cache_info().currsize == 0
    assert seen == [live.catalog.version]
