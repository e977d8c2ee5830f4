"""``/v1/conversations…``: conversations and their items."""

import msgspec
from msgspec import Raw

from tollway.api.inference.item_query import Query, body_of, given_items, given_metadata
from tollway.api.inference.stored import ID, Asked, Routes
from tollway.data.conversations import ConversationRow
from tollway.errors import InvalidRequestError
from tollway.services.conversation_change import ConversationChange
from tollway.services.conversation_find import ConversationFind
from tollway.services.item_page import ItemWish

_PATH = "/v1/conversations"
_encode = msgspec.json.Encoder().encode


class ConversationEndpoints:
    """Answers them."""

    def __init__(self, find: ConversationFind, change: ConversationChange) -> None:
        self._find = find
        self._change = change

    @property
    def routes(self) -> Routes:
        """Where they are."""
        return (
            (_PATH, {"POST": self._create}),
            (f"{_PATH}/{ID}", {"GET": self._get, "POST": self._update, "DELETE": self._delete}),
            (f"{_PATH}/{ID}/items", {"GET": self._items, "POST": self._add}),
            (f"{_PATH}/{ID}/items/{ID}", {"GET": self._item, "DELETE": self._delete_item}),
        )

    async def _create(self, asked: Asked) -> bytes:
        fields = body_of(await asked.caller.read_body())
        row = await self._change.create(asked.principal, given_metadata(fields), given_items(fields))
        return _shown(row)

    async def _get(self, asked: Asked) -> bytes:
        return _shown(await self._find.find(asked.principal, asked.ids[0]))

    async def _update(self, asked: Asked) -> bytes:
        fields = body_of(await asked.caller.read_body())
        if "metadata" not in fields:
            raise InvalidRequestError("The field `metadata` is missing.", param="metadata")
        await self._change.change(asked.principal, asked.ids[0], given_metadata(fields))
        return await self._get(asked)

    async def _delete(self, asked: Asked) -> bytes:
        await self._change.remove(asked.principal, asked.ids[0])
        return _encode({"id": asked.ids[0], "object": "conversation.deleted", "deleted": True})

    async def _items(self, asked: Asked) -> bytes:
        page = await self._find.items(asked.principal, asked.ids[0], Query(asked.query).wish)
        return page.body

    async def _add(self, asked: Asked) -> bytes:
        items = given_items(body_of(await asked.caller.read_body()))
        if not items:
            raise InvalidRequestError("The field `items` is missing.", param="items")
        rows = await self._change.add_items(asked.principal, asked.ids[0], items)
        wish = ItemWish(include=Query(asked.query).include)
        return self._find.page(asked.principal.project_id, asked.ids[0], rows, wish).body

    async def _item(self, asked: Asked) -> bytes:
        conversation_id, item_id = asked.ids
        page = await self._find.item(asked.principal, conversation_id, item_id, Query(asked.query).wish)
        return _encode(page.items[0])

    async def _delete_item(self, asked: Asked) -> bytes:
        conversation_id, item_id = asked.ids
        await self._change.remove_item(asked.principal, conversation_id, item_id)
        return await self._get(asked)


def _shown(row: ConversationRow) -> bytes:
    return _encode(
        {
            "id": row.id,
            "object": "conversation",
            "created_at": int(row.created_at.timestamp()),
            "metadata": Raw(row.metadata_json),
        }
    )
