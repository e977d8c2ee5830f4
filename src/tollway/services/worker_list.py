"""Find workers."""

from collections.abc import Sequence

from tollway.data import worker_list
from tollway.data.page import Page
from tollway.data.session import Database
from tollway.data.worker_list import WorkerRecord


class WorkerList:
    """Reads workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, page: Page) -> Sequence[WorkerRecord]:
        """A page of the workers that live, or died and were not released yet."""
        async with self._database.read() as session:
            return await worker_list.page(session, page)
