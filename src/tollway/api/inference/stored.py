"""What is kept, for those it belongs to: ``/v1/responses/…``, ``/v1/conversations…``, ``/v1/files…``, ``/v1/batches…``.

They are admitted as every request of the data plane is, and refused in the same words.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
from msgspec.structs import replace

from tollway.chat.items import is_id
from tollway.errors import MethodNotAllowedError, NotFoundError
from tollway.identity.principal import Principal
from tollway.services.inference.quota_headers import quota_headers
from tollway.services.inference.visits import Visits

ID = "([^/]{1,200})"
_OK, _JSON = 200, "application/json"


class Body(Protocol):
    """Where a request's body comes from."""

    async def read_body(self) -> bytes:
        """The whole body."""
        ...


class Asked(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        principal: who asks.
        ids: what its path names.
        query: as it came.
        headers: names in lower case.
        caller: its body.
    """

    principal: Principal
    ids: tuple[str, ...]
    query: bytes
    headers: Mapping[bytes, bytes]
    caller: Body


class Told(msgspec.Struct, frozen=True):
    """An answer. Attributes: headers: that tell of limits; events: a stream, in place of a body."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    events: AsyncGenerator[bytes] | None = None


Answer = Callable[[Asked], Awaitable[bytes | Told]]
Routes = tuple[tuple[str, dict[str, Answer]], ...]
"""Pattern of a path → method → what answers it; the first that fits."""


class Stored:
    """Answers from what is kept."""

    def __init__(self, visits: Visits, routes: Routes) -> None:
        self._visits = visits
        self._routes = tuple((re.compile(pattern), methods) for pattern, methods in routes)

    @asynccontextmanager
    async def answered(
        self, method: str, path: str, *, query: bytes, key: bytes, headers: Mapping[bytes, bytes], caller: Body
    ) -> AsyncIterator[Told]:
        """The answer; what the request holds is held until it is told.

        Args:
            method: of the request.
            path: of the request.
            query: what follows its question mark.
            key: of the caller.
            headers: names in lower case.
            caller: where its body comes from.

        Raises:
            TollwayError: there is none.
        """
        for pattern, methods in self._routes:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            answer = methods.get("GET" if method == "HEAD" else method)
            if answer is None:
                raise MethodNotAllowedError(
                    f"{path[:200]} does not know the method {method[:20]}.",
                    next_step=f"Use {' or '.join(methods)}.",
                    headers=(("allow", ", ".join(methods)),),
                )
            async with self._visits.admitted(key) as visit:
                if not all(map(is_id, found.groups())):
                    raise _nothing_at(path)
                told = await answer(Asked(visit.principal, found.groups(), query, headers, caller))
                told = told if isinstance(told, Told) else Told(_OK, _JSON, told)
                yield replace(told, headers=tuple(quota_headers(visit.claims)))
                return
        raise _nothing_at(path)


def _nothing_at(path: str) -> NotFoundError:
    return NotFoundError(f"There is nothing at {path[:200]}.")
