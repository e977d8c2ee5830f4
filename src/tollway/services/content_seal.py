"""Content at rest, of dialogues and of replies to be given again: sealed, so that the database tells nobody of it."""

from collections.abc import Sequence

from msgspec import Raw

from tollway.chat.items import id_of
from tollway.chat.turn import Turn, packed, unpacked
from tollway.data.conversations import ItemRow
from tollway.errors import ContentSealedError
from tollway.identity.vault import SealedSecretError, Vault


class ContentSeal:
    """Seals and opens."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal_turn(self, project_id: str, response_id: str, turn: Turn) -> bytes:
        """A turn, for its response."""
        return self._vault.seal_bytes(packed(turn), identity=_of_response(project_id, response_id))

    def open_turn(self, project_id: str, response_id: str, sealed: bytes) -> Turn:
        """The turn of a response.

        Raises:
            ContentSealedError: it was stored under another master key.
        """
        return unpacked(self._open(sealed, _of_response(project_id, response_id)))

    def seal_item(self, project_id: str, conversation_id: str, item: Raw) -> bytes:
        """An item, for its conversation."""
        return self._vault.seal_bytes(bytes(item), identity=_of_conversation(project_id, conversation_id))

    def open_item(self, project_id: str, conversation_id: str, sealed: bytes) -> Raw:
        """An item of a conversation.

        Raises:
            ContentSealedError: as of `open_turn`.
        """
        return Raw(self._open(sealed, _of_conversation(project_id, conversation_id)))

    def seal_events(self, project_id: str, response_id: str, number: int, events: bytes) -> bytes:
        """Events of a response, from this number on."""
        return self._vault.seal_bytes(events, identity=_of_events(project_id, response_id, number))

    def open_events(self, project_id: str, response_id: str, number: int, sealed: bytes) -> bytes:
        """Events of a response.

        Raises:
            ContentSealedError: as of `open_turn`.
        """
        return self._open(sealed, _of_events(project_id, response_id, number))

    def seal_reply(self, key_id: str, digest: bytes, body: bytes) -> bytes:
        """A reply, for the idempotency key that it is kept under."""
        return self._vault.seal_bytes(body, identity=_of_reply(key_id, digest))

    def open_reply(self, key_id: str, digest: bytes, sealed: bytes) -> bytes:
        """The reply of an idempotency key.

        Raises:
            ContentSealedError: as of `open_turn`.
        """
        return self._open(sealed, _of_reply(key_id, digest))

    def _open(self, sealed: bytes, identity: str) -> bytes:
        try:
            return self._vault.open_bytes(sealed, identity=identity)
        except SealedSecretError:
            raise ContentSealedError(
                "What was kept cannot be opened with this installation's master key.",
                next_step="The operator restores the TOLLWAY_MASTER_KEY that it was stored under.",
            ) from None


def item_rows(
    seal: ContentSeal, project_id: str, conversation_id: str, first: int, items: Sequence[Raw]
) -> list[ItemRow]:
    """Items as rows of a conversation, from position `first` on."""
    return [
        ItemRow(
            position,
            id_of(item, f"{conversation_id}:{position}"),
            seal.seal_item(project_id, conversation_id, item),
        )
        for position, item in enumerate(items, first)
    ]


def _of_response(project_id: str, response_id: str) -> str:
    return f"response:{project_id}:{response_id}"


def _of_events(project_id: str, response_id: str, number: int) -> str:
    return f"events:{project_id}:{response_id}:{number}"


def _of_conversation(project_id: str, conversation_id: str) -> str:
    return f"conversation:{project_id}:{conversation_id}"


def _of_reply(key_id: str, digest: bytes) -> str:
    return f"reply:{key_id}:{digest.hex()}"
