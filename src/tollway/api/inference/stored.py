"""What is kept of dialogues, for those they belong to: ``/v1/responses/…`` and ``/v1/conversations…``.

Authentication, scope and errors are those of every request of the data plane.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from tollway.chat.items import is_id
from tollway.errors import MethodNotAllowedError, NotFoundError
from tollway.identity.principal import Principal, Scope
from tollway.services.authenticate import Authenticator, require_scope

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
    """An answer that is not simply JSON and good."""

    status: int
    content_type: str
    body: bytes


Answer = Callable[[Asked], Awaitable[bytes | Told]]
Routes = tuple[tuple[str, dict[str, Answer]], ...]
"""Pattern of a path → method → what answers it; the first that fits."""


class Stored:
    """Answers from what is kept."""

    def __init__(self, authenticator: Authenticator, routes: Routes) -> None:
        self._authenticator = authenticator
        self._routes = tuple((re.compile(pattern), methods) for pattern, methods in routes)

    async def answer(
        self, method: str, path: str, *, query: bytes, key: bytes, headers: Mapping[bytes, bytes], caller: Body
    ) -> Told:
        """The answer.

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
            principal = self._authenticator.cached(key) or await self._authenticator.authenticate(key)
            require_scope(principal, Scope.INFERENCE)
            if not all(map(is_id, found.groups())):
                break
            told = await answer(Asked(principal, found.groups(), query, headers, caller))
            return told if isinstance(told, Told) else Told(_OK, _JSON, told)
        raise NotFoundError(f"There is nothing at {path[:200]}.")
