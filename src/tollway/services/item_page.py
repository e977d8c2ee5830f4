"""A page of items: what is asked for, and what is shown."""

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class ItemWish(msgspec.Struct, frozen=True):
    """Which items. Attributes: after: the id of the item before them; include: what is only shown if asked for."""

    limit: int = 20
    after: str | None = None
    ascending: bool = False
    include: frozenset[str] = frozenset()


class ItemPage(msgspec.Struct, frozen=True):
    """Items as they are shown. Attributes: has_more: whether others follow."""

    items: list[dict[str, Any]]
    has_more: bool = False

    @property
    def body(self) -> bytes:
        """As OpenAI tells it."""
        return _encode(
            {
                "object": "list",
                "data": self.items,
                "first_id": self.items[0]["id"] if self.items else None,
                "last_id": self.items[-1]["id"] if self.items else None,
                "has_more": self.has_more,
            }
        )
