"""Announcements: every change of the control plane is told to all workers in the transaction that makes it.

PostgreSQL delivers a notification if and when its transaction commits; equal ones of one transaction become one.
"""

import msgspec
from sqlalchemy import func, select

from tollway.constants import NOTIFY_CHANNEL
from tollway.data.session import WriteSession

ALL = "*"


class Change(msgspec.Struct, frozen=True):
    """What changed.

    Attributes:
        noun: ``key``, ``catalog``, ``price``, ``quota`` (a budget or limit changed), ``recall`` (the leases of one
            subject of a quota are wanted back) or ``health`` (what a worker saw of a provider's deployment); ``*``:
            anything may have (the feed was away), so read everything again.
        id: of the key, of the organization whose catalog changed, of the price override, of the quota, or of the
            provider; ``*``: any of the noun.
        digest: of the key, the form under which workers remember it; of a recall, the subject (empty is ``None``); of
            health, the news; ``None`` for other nouns and for ``*``.
    """

    noun: str
    id: str = ALL
    digest: bytes | None = None

    @property
    def payload(self) -> str:
        """``noun:id`` or ``noun:id:digest`` in hexadecimal: 5,000 characters at the most; PostgreSQL takes 7,999."""
        return ":".join((self.noun, self.id, self.digest.hex()) if self.digest else (self.noun, self.id))

    @classmethod
    def parse(cls, payload: str) -> "Change":
        """Read a payload. One that cannot be understood (a newer version wrote it) is ``*``: read everything again."""
        noun, _, rest = payload.partition(":")
        id_, _, digest = rest.partition(":")
        try:
            return cls(noun, id_ or ALL, bytes.fromhex(digest) or None)
        except ValueError:
            return cls(ALL)


async def announce(session: WriteSession, change: Change) -> None:
    """Tell all workers once the transaction commits."""
    await session.execute(select(func.pg_notify(NOTIFY_CHANNEL, change.payload)))
