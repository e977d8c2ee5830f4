"""``/v1/responses/…``: responses that were kept."""

from http import HTTPStatus

import msgspec

from tollway.api.dialects.responses import ResponsesDialect
from tollway.api.inference.item_query import Query
from tollway.api.inference.stored import ID, Asked, Routes, Told
from tollway.api.inference.surfaces import SURFACES
from tollway.services.inference.input_count import InputCount
from tollway.services.response_events import ResponseEvents
from tollway.services.response_find import ResponseFind
from tollway.services.response_remove import ResponseRemove

_PATH = "/v1/responses"
_encode = msgspec.json.Encoder().encode


class ResponseEndpoints:
    """Answers them."""

    def __init__(self, find: ResponseFind, remove: ResponseRemove, events: ResponseEvents, count: InputCount) -> None:
        self._find = find
        self._events = events
        self._remove = remove
        self._count = count
        self._dialect = ResponsesDialect()

    @property
    def routes(self) -> Routes:
        """Where they are."""
        return (
            (f"{_PATH}/input_tokens", {"POST": self._input_tokens}),
            (f"{_PATH}/{ID}", {"GET": self._get, "DELETE": self._delete}),
            (f"{_PATH}/{ID}/cancel", {"POST": self._cancel}),
            (f"{_PATH}/{ID}/input_items", {"GET": self._items}),
        )

    async def _get(self, asked: Asked) -> bytes | Told:
        query = Query(asked.query)
        if query.streams:
            events = await self._events.follow(asked.principal, asked.ids[0], after=query.starting_after)
            return Told(HTTPStatus.OK, "text/event-stream", b"", events=events)
        return await self._find.find(asked.principal, asked.ids[0], query.include)

    async def _delete(self, asked: Asked) -> bytes:
        await self._remove.remove(asked.principal, asked.ids[0])
        return _encode({"id": asked.ids[0], "object": "response", "deleted": True})

    async def _cancel(self, asked: Asked) -> bytes:
        await self._remove.cancel(asked.principal, asked.ids[0])
        return await self._find.find(asked.principal, asked.ids[0])

    async def _items(self, asked: Asked) -> bytes:
        page = await self._find.items(asked.principal, asked.ids[0], Query(asked.query).wish)
        return page.body

    async def _input_tokens(self, asked: Asked) -> bytes:
        """An estimate, whatever the provider: it is marked as one."""
        call = self._dialect.parse(await asked.caller.read_body(), surface=SURFACES[_PATH], headers=asked.headers)
        tokens = await self._count.count(call, asked.principal)
        return _encode({"object": "response.input_tokens", "input_tokens": tokens, "estimated": True})
