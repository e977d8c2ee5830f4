"""The catalog and the prices in this worker's memory, kept true by announcements and by a periodic sweep."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from tollway.constants import CATALOG_SWEEP_INTERVAL_S
from tollway.data.changes import ALL, Change
from tollway.errors import DatabaseUnavailableError, NotReadyError
from tollway.ledger.price_book import PriceBook
from tollway.routing.catalog import Catalog
from tollway.services.authenticate import Authenticator

_CATCH_UP_INTERVAL_S = 0.5
"""An announcement takes milliseconds; this is only for a request that overtakes one."""

_log = structlog.get_logger(__name__)


class LiveCatalog:
    """What the pipeline reads: always there, never waited for.

    Attributes:
        catalog: what every organization can reach.
        hear_response: told of changes of responses; see `tollway.services.inference.background`.
    """

    def __init__(
        self,
        *,
        load_catalog: Callable[[], Awaitable[Catalog]],
        load_price_book: Callable[[], Awaitable[PriceBook]],
        follow_quotas: Callable[[Change], Awaitable[None]],
        listen: Callable[[], AsyncIterator[Change]],
        authenticator: Authenticator,
        hear_health: Callable[[Change], None] = lambda _: None,
        forget: Callable[[Catalog], None] = lambda _: None,
    ) -> None:
        """Args: hear_health: see `tollway.services.live_health`; forget: drops what is not of the new catalog."""
        self._forget = forget
        self._hear_health = hear_health
        self.hear_response: Callable[[Change], Awaitable[None]] | None = None
        self._load_catalog = load_catalog
        self._load_price_book = load_price_book
        self._follow_quotas = follow_quotas
        self._listen = listen
        self._authenticator = authenticator
        self.catalog = Catalog()
        self._price_book: PriceBook | None = None
        self._caught_up_s = 0.0
        self._catching_up = asyncio.Lock()
        self._reading = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether everything was read at least once."""
        return self._price_book is not None and self.catalog.version > 0

    @property
    def price_book(self) -> PriceBook:
        """The prices.

        Raises:
            NotReadyError: they were never read, because the database was away ever since this worker started.
        """
        if self._price_book is None:
            raise NotReadyError(
                "This worker has not read its configuration yet: the database is away.",
                next_step="Try again shortly.",
                headers=(("retry-after", "2"),),
            )
        return self._price_book

    async def refresh(self) -> None:
        """Read everything again. What cannot be read stays as it was.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        await self._apply(Change(ALL))

    async def catch_up(self) -> None:
        """Read everything again before something is said not to exist: it may have been made a moment ago.

        Wrong names cannot keep the database busy: it is read twice a second at the most, once for all who wait.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        asked_s = time.monotonic()
        async with self._catching_up:
            if self._caught_up_s < asked_s:
                await asyncio.sleep(self._caught_up_s + _CATCH_UP_INTERVAL_S - time.monotonic())
                self._caught_up_s = time.monotonic()
                async with self._reading:
                    await self._read_catalog()
                    self._price_book = await self._load_price_book()

    async def run(self) -> None:
        """Follow the changes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._sweep())

    async def _follow(self) -> None:
        async for change in self._listen():
            await self._try(change)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(CATALOG_SWEEP_INTERVAL_S)
            await self._try(Change(ALL))

    async def _try(self, change: Change) -> None:
        """Apply a change. What cannot be read stays as it was, until the next sweep."""
        try:
            await self._apply(change)
        except DatabaseUnavailableError:
            _log.warning("catalog_not_refreshed", reason="the database is away; serving from memory")
        except Exception:  # noqa: BLE001 -- a worker that stops listening would go on serving revoked keys
            _log.exception("catalog_not_refreshed", noun=change.noun)

    async def _apply(self, change: Change) -> None:
        if change.noun == "key" and change.id != ALL:
            self._authenticator.follow_key(change.id, change.ends_at_s)
            return
        if change.noun == "health":
            self._hear_health(change)
            return
        if change.noun == "recall":
            await self._follow_quotas(change)
            return
        async with self._reading:  # who began to read before a change may not have the last word after it
            await self._read(change)
        if change.noun in {ALL, "response"} and self.hear_response is not None:
            await self.hear_response(change)

    async def _read(self, change: Change) -> None:
        if change.noun in {ALL, "quota"}:
            await self._follow_quotas(change)
        if change.noun in {ALL, "catalog"}:
            await self._read_catalog()
        if change.noun in {ALL, "price"}:
            self._price_book = await self._load_price_book()
        if change.noun in {ALL, "key"}:
            await self._authenticator.refresh()

    async def _read_catalog(self) -> None:
        self.catalog = await self._load_catalog()
        self._forget(self.catalog)
