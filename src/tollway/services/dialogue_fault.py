"""What callers are told of dialogues that cannot be read, or are not there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tollway.errors import DatabaseUnavailableError, NotFoundError
from tollway.identity.principal import Principal

KEEP_CONTENT = (
    "have an administrator set the project's `store_content` to `full` (`tollway projects update --store-content full`)"
)
"""How an error of `ContentNotKeptError` goes on: the one setting that decides."""
_TIMEOUT_S = 3.0
"""A caller is told that the database is away after this time."""


@asynccontextmanager
async def bounded(what: str, *, or_else: str = ", or send the dialogue itself as input") -> AsyncIterator[None]:
    """A time in which the database must have answered, or it counts as away."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            yield
    except TimeoutError as late:
        raise DatabaseUnavailableError(
            f"The database did not answer, so {what} cannot be read.",
            next_step=f"Try again shortly{or_else}.",
            headers=(("retry-after", "2"),),
        ) from late


def no_response(principal: Principal, response_id: str, *, param: str | None = None) -> NotFoundError:
    """What is said of a response that is not there."""
    hint = ""
    if principal.store_content == "none":
        hint = " This project keeps nothing (its setting `store_content` is `none`)."
    return NotFoundError(
        f"There is no response {response_id[:200]!r} here.{hint}",
        next_step="It may have been made with `store: false`, by another project, or its time is over.",
        param=param,
    )


def no_conversation(conversation_id: str) -> NotFoundError:
    """What is said of a conversation that is not there."""
    return NotFoundError(
        f"There is no conversation {conversation_id[:200]!r} here.",
        next_step="Create one with `POST /v1/conversations`.",
        param="conversation",
    )
