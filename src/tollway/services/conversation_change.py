"""Create, change and delete conversations and their items."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Raw

from tollway.data import conversation_locks, conversations
from tollway.data.conversations import ConversationRow, ItemRow
from tollway.data.session import Database, WriteSession
from tollway.errors import ContentNotKeptError
from tollway.identity.principal import Principal
from tollway.ids import uuid7
from tollway.services.content_seal import ContentSeal, item_rows
from tollway.services.conversation_find import no_item
from tollway.services.conversation_lock import locked
from tollway.services.dialogue_fault import KEEP_CONTENT, bounded, no_conversation


class ConversationChange:
    """Changes conversations."""

    def __init__(self, database: Database, seal: ContentSeal) -> None:
        self._database = database
        self._seal = seal

    async def create(self, principal: Principal, metadata_json: bytes, items: Sequence[Raw]) -> ConversationRow:
        """Begin a conversation with these items.

        Raises:
            ContentNotKeptError: the project keeps no content.
            DatabaseUnavailableError: it was not made.
        """
        require_content(principal)
        row = ConversationRow(
            principal.project_id,
            "conv_" + uuid7().replace("-", ""),
            principal.organization_id,
            metadata_json,
            datetime.now(UTC),
            _expires_at(principal),
        )
        async with bounded("whether it was made"), self._database.write() as session, session.begin():
            await conversations.create(session, row)
            await self._append(WriteSession(session), principal, row.id, items)
        return row

    async def change(self, principal: Principal, conversation_id: str, metadata_json: bytes) -> None:
        """Replace its metadata.

        Raises:
            NotFoundError: the project has none of this id.
            DatabaseUnavailableError: it was not changed.
        """
        async with bounded("the conversation"), self._database.write() as session, session.begin():
            if not await conversations.set_metadata(session, principal.project_id, conversation_id, metadata_json):
                raise no_conversation(conversation_id)

    async def remove(self, principal: Principal, conversation_id: str) -> None:
        """Delete it with its items.

        Raises:
            NotFoundError, DatabaseUnavailableError: as of `change`.
        """
        async with bounded("the conversation"), self._database.write() as session, session.begin():
            if not await conversations.remove(session, principal.project_id, conversation_id):
                raise no_conversation(conversation_id)

    async def add_items(self, principal: Principal, conversation_id: str, items: Sequence[Raw]) -> list[ItemRow]:
        """Append items.

        Raises:
            NotFoundError, ContentNotKeptError, DatabaseUnavailableError: as of `create` and `change`.
            ConversationLockedError: a request goes on with it, and its turn would come after these items.
        """
        require_content(principal)
        async with bounded("the conversation"), self._database.write() as session, session.begin():
            if await conversation_locks.is_taken(WriteSession(session), principal.project_id, conversation_id):
                raise locked(conversation_id)
            rows = await self._append(WriteSession(session), principal, conversation_id, items)
            if rows is None:
                raise no_conversation(conversation_id)
        return rows

    async def remove_item(self, principal: Principal, conversation_id: str, item_id: str) -> None:
        """Delete an item.

        Raises:
            NotFoundError: there is no such conversation or item.
            DatabaseUnavailableError: it is still there.
        """
        async with bounded("the conversation"), self._database.write() as session, session.begin():
            if await conversations.find(session, principal.project_id, conversation_id) is None:
                raise no_conversation(conversation_id)
            if not await conversations.remove_item(
                WriteSession(session), principal.project_id, conversation_id, item_id
            ):
                raise no_item(item_id)

    async def _append(
        self, session: WriteSession, principal: Principal, conversation_id: str, items: Sequence[Raw]
    ) -> list[ItemRow] | None:
        project_id = principal.project_id
        first = await conversations.reserve(
            session, project_id, conversation_id, count=len(items), expires_at=_expires_at(principal)
        )
        if first is None:
            return None
        rows = item_rows(self._seal, project_id, conversation_id, first, items)
        await conversations.add_items(session, project_id, conversation_id, rows)
        return rows


def require_content(principal: Principal) -> None:
    """Raises ContentNotKeptError if the project keeps no content."""
    if principal.store_content != "full":
        raise ContentNotKeptError(
            f"A conversation needs content to be kept, and this project's setting `store_content` is "
            f"`{principal.store_content}`.",
            next_step=f"Send the whole dialogue as input, or {KEEP_CONTENT}.",
        )


def _expires_at(principal: Principal) -> datetime:
    return datetime.now(UTC) + timedelta(days=principal.retention_days)
