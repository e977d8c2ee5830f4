"""Announcements: every change of the control plane is told to all workers in the transaction that makes it.

PostgreSQL delivers a notification if and when its transaction commits; equal ones of one transaction become one.
"""

from struct import Struct

import msgspec
from sqlalchemy import func, select

from tollway.constants import NOTIFY_CHANNEL
from tollway.data.session import WriteSession

ALL = "*"
_END = Struct(">d")


class Change(msgspec.Struct, frozen=True):
    """What changed.

    Attributes:
        noun: ``key``, ``catalog``, ``price``, ``quota`` (a budget or limit changed), ``recall`` (the leases of one
            subject of a quota are wanted back), ``response`` (it was cancelled or deleted) or ``health`` (what a worker
            saw of a provider's deployment); ``*``: anything may have (the feed was away), so read everything again.
        id: of the key, of the organization whose catalog changed, of the price override, of the quota, of the response
            or of the provider; ``*``: any of the noun.
        detail: what else workers must know: of a key, its end (see `key_ends`); of a recall, the subject (empty is
            ``None``); of health, the news; ``None`` for other nouns and for ``*``.
    """

    noun: str
    id: str = ALL
    detail: bytes | None = None

    @classmethod
    def key_ends(cls, key_id: str, at_s: float) -> "Change":
        """A key was made, or is to end: workers know all of it by this, also when the database goes away.

        Args:
            key_id: of the key.
            at_s: seconds since the epoch; infinite for a new key, 0 for one that is dead whatever the time is.
        """
        return cls("key", key_id, _END.pack(at_s))

    @property
    def ends_at_s(self) -> float | None:
        """When the key of `key_ends` ends; ``None`` if something else may be another, too."""
        return _END.unpack(self.detail)[0] if self.detail is not None and len(self.detail) == _END.size else None

    @property
    def payload(self) -> str:
        """``noun:id`` or ``noun:id:detail`` in hexadecimal: 5,000 characters at the most; PostgreSQL takes 7,999."""
        return ":".join((self.noun, self.id, self.detail.hex()) if self.detail else (self.noun, self.id))

    @classmethod
    def parse(cls, payload: str) -> "Change":
        """Read a payload. One that cannot be understood (a newer version wrote it) is ``*``: read everything again."""
        noun, _, rest = payload.partition(":")
        id_, _, detail = rest.partition(":")
        try:
            return cls(noun, id_ or ALL, bytes.fromhex(detail) or None)
        except ValueError:
            return cls(ALL)


async def announce(session: WriteSession, change: Change) -> None:
    """Tell all workers once the transaction commits."""
    await session.execute(select(func.pg_notify(NOTIFY_CHANNEL, change.payload)))
