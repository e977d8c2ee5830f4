"""Find what a request goes on with: the turns before it, the items of its conversation, the items it refers to.

This is the one read of the database that a request of the data plane may need. It is bounded in time and size, and only
requests that name earlier ones make it.
"""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Raw

from tollway.chat.items import id_of, is_id
from tollway.chat.turn import Turn, items_by_id, output_of
from tollway.data import conversations, responses
from tollway.data.responses import Link
from tollway.data.session import Database
from tollway.errors import (
    ContentNotKeptError,
    InvalidRequestError,
    NotFoundError,
)
from tollway.identity.principal import Principal
from tollway.services.content_seal import ContentSeal
from tollway.services.dialogue_fault import KEEP_CONTENT, bounded, no_conversation, no_response
from tollway.services.response_store import Kept, ResponseStore

LINKS_MAX = 2_000
"""Requests of one dialogue that go on with each other."""
HISTORY_MAX_BYTES = 32 * 1024 * 1024
"""As much as the largest body."""
ITEMS_MAX = 10_000
"""Items of one conversation that a request goes on with."""
RETRY_DELAYS_S = (0.05, 0.15)
"""A response that another worker has just answered is written within this time."""


class DialogueLoad:
    """Reads dialogues, those that wait to be written among them."""

    def __init__(self, database: Database, seal: ContentSeal, store: ResponseStore) -> None:
        self._database = database
        self._seal = seal
        self._store = store

    async def after_response(self, principal: Principal, response_id: str) -> list[Raw]:
        """The items of a response and of all before it, the first one first.

        Raises:
            NotFoundError: it, or one before it, is not kept for the project.
            ContentNotKeptError: it was kept without content.
            InvalidRequestError: it did not end well, it belongs to a conversation, or the dialogue is too long.
            DatabaseUnavailableError: it cannot be known.
        """
        waiting: list[Kept] = []
        at: str | None = response_id
        while at is not None and (kept := self._store.pending(principal.project_id, at)) is not None:
            if not kept.full:
                raise _without_content(at)
            _require_usable(at, kept.status, kept.conversation_id)
            waiting.append(kept)
            at = kept.previous_id
        turns = await self._turns(principal, at) if at is not None else []
        turns += [kept.turn for kept in reversed(waiting)]
        return [item for turn in turns for item in (*turn.input, *output_of(turn.response))]

    async def of_conversation(self, principal: Principal, conversation_id: str) -> list[Raw]:
        """All items of a conversation.

        Raises:
            NotFoundError: the project has none of this id.
            InvalidRequestError: it is too long.
            DatabaseUnavailableError: it cannot be known.
        """
        project_id = principal.project_id
        async with bounded("the conversation"), self._database.read() as session:
            if await conversations.find(session, project_id, conversation_id) is None:
                raise no_conversation(conversation_id)
            count, size_bytes = await conversations.size(session, project_id, conversation_id)
            if count > ITEMS_MAX or size_bytes > HISTORY_MAX_BYTES:
                raise InvalidRequestError(
                    f"The conversation has {count} items of {size_bytes} bytes; {ITEMS_MAX} of {HISTORY_MAX_BYTES} can "
                    "be gone on with.",
                    next_step="Delete items of it, or begin another one.",
                    param="conversation",
                )
            rows = await conversations.items(session, project_id, conversation_id, limit=ITEMS_MAX)
        return [self._seal.open_item(project_id, conversation_id, row.content) for row in rows]

    async def referred(
        self, principal: Principal, wanted: Mapping[int, str], known: Sequence[Raw], conversation_id: str | None = None
    ) -> dict[int, Raw]:
        """The items that a request refers to, by its positions.

        Args:
            principal: whose.
            wanted: position → id.
            known: items that are loaded already.
            conversation_id: where to look for them besides.

        Raises:
            NotFoundError: the project has no such item.
            InvalidRequestError: together they are too long: one item may be referred to many times.
            DatabaseUnavailableError: it cannot be known.
        """
        by_id = {id_of(item, ""): item for item in known}
        missing = list({id_: None for id_ in wanted.values() if id_ not in by_id and is_id(id_)})
        if len(missing) > ITEMS_MAX:
            raise InvalidRequestError(f"The request refers to more than {ITEMS_MAX} items.", param="input")
        if missing:
            by_id = await self._find_items(principal.project_id, missing, conversation_id) | by_id
        for position, id_ in wanted.items():
            if id_ not in by_id:
                raise NotFoundError(
                    f"There is no item {id_[:200]!r} here.",
                    next_step="Send the item itself instead of a reference to it.",
                    param=f"input.{position}",
                )
        if sum(len(by_id[id_]) for id_ in wanted.values()) > HISTORY_MAX_BYTES:
            raise InvalidRequestError(
                f"The items that the request refers to have more than {HISTORY_MAX_BYTES} bytes together.",
                next_step="Refer to fewer, and to each of them once.",
                param="input",
            )
        return {position: by_id[id_] for position, id_ in wanted.items()}

    async def _find_items(self, project_id: str, ids: list[str], conversation_id: str | None) -> dict[str, Raw]:
        found: dict[str, Raw] = {}
        async with bounded("the items"), self._database.read() as session:
            for link in await responses.with_items(session, project_id, ids, bytes_max=HISTORY_MAX_BYTES):
                if link.content is not None:
                    found |= items_by_id(link.id, self._seal.open_turn(project_id, link.id, link.content))
            for id_ in ids if conversation_id is not None else ():
                row = await conversations.find_item(session, project_id, conversation_id or "", id_)
                if row is not None:
                    found[id_] = self._seal.open_item(project_id, conversation_id or "", row.content)
        return found | self._store.pending_items(project_id)

    async def _turns(self, principal: Principal, response_id: str) -> list[Turn]:
        links = await self._links(principal.project_id, response_id)
        if not links:
            raise no_response(principal, response_id, param="previous_response_id")
        if sum(len(link.content or b"") for link in links) > HISTORY_MAX_BYTES or len(links) >= LINKS_MAX:
            raise InvalidRequestError(
                f"The dialogue before this request has more than {HISTORY_MAX_BYTES} bytes or {LINKS_MAX} responses.",
                next_step="Begin another one with what matters of it.",
                param="previous_response_id",
            )
        if links[0].previous_id is not None:
            raise NotFoundError(
                f"The response {links[0].previous_id[:200]!r}, with which this dialogue went on, is not kept any more.",
                next_step="Send what matters of the dialogue as input.",
                param="previous_response_id",
            )
        turns = []
        for link in links:
            _require_usable(link.id, link.status, link.conversation_id)
            if link.content is None:
                raise _without_content(link.id)
            turns.append(self._seal.open_turn(principal.project_id, link.id, link.content))
        return turns

    async def _links(self, project_id: str, response_id: str) -> list[Link]:
        for delay_s in (*RETRY_DELAYS_S, None):
            async with bounded("the response"), self._database.read() as session:
                links = await responses.chain(
                    session, project_id, response_id, links_max=LINKS_MAX, bytes_max=HISTORY_MAX_BYTES
                )
            if links or delay_s is None:
                return links
            await asyncio.sleep(delay_s)
        return []


def _without_content(response_id: str) -> ContentNotKeptError:
    return ContentNotKeptError(
        f"The response {response_id[:200]!r} was kept without its content, so nothing can go on with it.",
        next_step=f"Send the dialogue itself as input, or {KEEP_CONTENT} before it is made.",
        param="previous_response_id",
    )


def _require_usable(response_id: str, status: str, conversation_id: str | None) -> None:
    """Raises InvalidRequestError if nothing can go on with the response."""
    if conversation_id is not None:
        raise InvalidRequestError(
            f"The response {response_id[:200]!r} belongs to a conversation.",
            next_step=f"Go on with `conversation: {conversation_id}`.",
            param="previous_response_id",
        )
    if status not in {"completed", "incomplete"}:
        raise InvalidRequestError(
            f"The response {response_id[:200]!r} is {status}.",
            next_step="Go on with one that was completed.",
            param="previous_response_id",
        )
