"""Find conversations and their items."""

from tollway.chat.items import shown
from tollway.data import conversations
from tollway.data.conversations import ConversationRow, ItemRow
from tollway.data.session import Database
from tollway.errors import NotFoundError
from tollway.identity.principal import Principal
from tollway.services.content_seal import ContentSeal
from tollway.services.dialogue_fault import bounded, no_conversation
from tollway.services.item_page import ItemPage, ItemWish


class ConversationFind:
    """Reads conversations."""

    def __init__(self, database: Database, seal: ContentSeal) -> None:
        self._database = database
        self._seal = seal

    async def find(self, principal: Principal, conversation_id: str) -> ConversationRow:
        """The conversation.

        Raises:
            NotFoundError: the project has none of this id.
            DatabaseUnavailableError: it cannot be known.
        """
        async with bounded("the conversation"), self._database.read() as session:
            row = await conversations.find(session, principal.project_id, conversation_id)
        if row is None:
            raise no_conversation(conversation_id)
        return row

    async def items(self, principal: Principal, conversation_id: str, wish: ItemWish) -> ItemPage:
        """A page of its items.

        Raises:
            NotFoundError: there is no such conversation, or no item to begin behind.
            ContentSealedError: see `ContentSeal`.
            DatabaseUnavailableError: as of `find`.
        """
        project_id = principal.project_id
        async with bounded("the items"), self._database.read() as session:
            if await conversations.find(session, project_id, conversation_id) is None:
                raise no_conversation(conversation_id)
            after = None
            if wish.after is not None:
                behind = await conversations.find_item(session, project_id, conversation_id, wish.after)
                if behind is None:
                    raise no_item(wish.after)
                after = behind.position
            rows = await conversations.items(
                session,
                project_id,
                conversation_id,
                limit=wish.limit + 1,
                after=after,
                newest_first=not wish.ascending,
            )
        return self.page(project_id, conversation_id, rows[: wish.limit], wish, has_more=len(rows) > wish.limit)

    def page(
        self, project_id: str, conversation_id: str, rows: list[ItemRow], wish: ItemWish, *, has_more: bool = False
    ) -> ItemPage:
        """Rows as they are shown."""
        opened = [(row.id, self._seal.open_item(project_id, conversation_id, row.content)) for row in rows]
        return ItemPage([shown(item, id_, wish.include) for id_, item in opened], has_more=has_more)

    async def item(self, principal: Principal, conversation_id: str, item_id: str, wish: ItemWish) -> ItemPage:
        """One item, as a page of one.

        Raises:
            NotFoundError, ContentSealedError, DatabaseUnavailableError: as of `items`.
        """
        project_id = principal.project_id
        async with bounded("the item"), self._database.read() as session:
            if await conversations.find(session, project_id, conversation_id) is None:
                raise no_conversation(conversation_id)
            row = await conversations.find_item(session, project_id, conversation_id, item_id)
        if row is None:
            raise no_item(item_id)
        return self.page(project_id, conversation_id, [row], wish)


def no_item(item_id: str) -> NotFoundError:
    """What is said of an item that is not there."""
    return NotFoundError(f"There is no item {item_id[:200]!r} in this conversation.")
