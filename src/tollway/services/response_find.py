"""Find responses that were kept, and the items they came from."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from tollway.chat.items import id_of, shown
from tollway.chat.turn import Turn, place_of, shown_response, with_state
from tollway.data import responses
from tollway.data.responses import ResponseRow
from tollway.data.session import Database
from tollway.errors import ContentNotKeptError, NotFoundError
from tollway.identity.principal import Principal
from tollway.services.content_seal import ContentSeal
from tollway.services.dialogue_fault import KEEP_CONTENT, bounded, no_response
from tollway.services.dialogue_load import RETRY_DELAYS_S
from tollway.services.item_page import ItemPage, ItemWish
from tollway.services.response_store import ResponseStore


class Found(msgspec.Struct, frozen=True):
    """One response. Attributes: body: as it is shown; turn: ``None`` if only metadata is kept."""

    body: bytes
    turn: Turn | None


class ResponseFind:
    """Reads responses, those that wait to be written among them."""

    def __init__(self, database: Database, seal: ContentSeal, store: ResponseStore) -> None:
        self._database = database
        self._seal = seal
        self._store = store

    async def find(self, principal: Principal, response_id: str, include: frozenset[str] = frozenset()) -> bytes:
        """The response as it is now.

        Raises:
            NotFoundError: the project has none of this id.
            ContentSealedError: see `ContentSeal`.
            DatabaseUnavailableError: it cannot be known.
        """
        found = await self._find(principal, response_id)
        return shown_response(found.body, include)

    async def items(self, principal: Principal, response_id: str, wish: ItemWish) -> ItemPage:
        """A page of the items that the request came with.

        Raises:
            ContentNotKeptError: it was kept without content.
            NotFoundError, ContentSealedError, DatabaseUnavailableError: as of `find`; there is no such item.
        """
        found = await self._find(principal, response_id)
        if found.turn is None:
            raise ContentNotKeptError(
                f"The response {response_id[:200]!r} was kept without its content.",
                next_step=f"To have it for later ones, {KEEP_CONTENT}.",
            )
        items = [
            shown(item, id_of(item, place_of(response_id, number)), wish.include)
            for number, item in enumerate(found.turn.input)
        ]
        return _page(items, wish)

    async def _find(self, principal: Principal, response_id: str) -> Found:
        for delay_s in (*RETRY_DELAYS_S, None):
            kept = self._store.pending(principal.project_id, response_id)
            if kept is not None and kept.full:
                return Found(bytes(kept.turn.response), kept.turn)
            async with bounded("the response"), self._database.read() as session:
                row = await responses.find(session, principal.project_id, response_id)
            if row is not None:
                return self._opened(row)
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        raise no_response(principal, response_id)

    def _opened(self, row: ResponseRow) -> Found:
        turn = None if row.content is None else self._seal.open_turn(row.project_id, row.id, row.content)
        body = row.outline if turn is None else bytes(turn.response)
        if row.background:  # its state may have changed where nobody could write its content
            body = with_state(body, status=row.status, fault=row.fault)
        return Found(body, turn)


def _page(items: Sequence[dict[str, Any]], wish: ItemWish) -> ItemPage:
    ordered = list(items) if wish.ascending else list(reversed(items))
    start = 0
    if wish.after is not None:
        place = next((number for number, item in enumerate(ordered) if item["id"] == wish.after), None)
        if place is None:
            raise NotFoundError(f"There is no item {wish.after[:200]!r} here.", param="after")
        start = place + 1
    page = ordered[start : start + wish.limit]
    return ItemPage(page, has_more=start + wish.limit < len(ordered))
