"""Delete responses, and cancel those that run."""

import asyncio

from tollway.data import responses
from tollway.data.changes import Change, announce
from tollway.data.session import Database, WriteSession
from tollway.errors import InvalidRequestError
from tollway.identity.principal import Principal
from tollway.services.dialogue_fault import bounded, no_response
from tollway.services.dialogue_load import RETRY_DELAYS_S
from tollway.services.response_store import ResponseStore

_WRITTEN_TIMEOUT_S = 2.0


class ResponseRemove:
    """Changes responses that are kept."""

    def __init__(self, database: Database, store: ResponseStore) -> None:
        self._database = database
        self._store = store

    async def remove(self, principal: Principal, response_id: str) -> None:
        """Delete a response; one that runs ends.

        Raises:
            NotFoundError: the project has none of this id.
            DatabaseUnavailableError: it is still there.
        """
        for delay_s in (*RETRY_DELAYS_S, None):
            async with bounded("the response"):
                await self._store.written(principal.project_id, response_id, timeout_s=_WRITTEN_TIMEOUT_S)
                async with self._database.write() as session, session.begin():
                    gone = await responses.remove(session, principal.project_id, response_id)
                    if gone:
                        await announce(session, Change("response", response_id))
            if gone:
                return
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        raise no_response(principal, response_id)

    async def cancel(self, principal: Principal, response_id: str) -> None:
        """End a response that runs in the background, in whatever worker. One that has ended stays as it is.

        Raises:
            NotFoundError: the project has none of this id.
            InvalidRequestError: it does not run in the background.
            DatabaseUnavailableError: it cannot be known whether it ended.
        """
        async with bounded("the response"):
            await self._store.written(principal.project_id, response_id, timeout_s=_WRITTEN_TIMEOUT_S)
            async with self._database.write() as session, session.begin():
                row = await responses.find(session, principal.project_id, response_id)
                if row is None:
                    raise no_response(principal, response_id)
                if not row.background:
                    raise InvalidRequestError(
                        "Only a response that was made with `background: true` can be cancelled.",
                        next_step="End any other one by closing its connection.",
                    )
                if await responses.cancel(WriteSession(session), principal.project_id, response_id):
                    await announce(WriteSession(session), Change("response", response_id))
