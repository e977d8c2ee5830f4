"""Lists in pages: ids are UUIDv7, so the id of the last row is a stable cursor."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from tollway.data.page import Page
from tollway.errors import UnprocessableError

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
_CURSOR_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Row = TypeVar("Row")
Item = TypeVar("Item", bound=BaseModel)


class Listing(BaseModel, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


async def _page(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Rows of a page at the most.")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None, Query(pattern=_CURSOR_PATTERN, max_length=36, description="`next_cursor` of the page before.")
    ] = None,
) -> Page:
    return Page(after=cursor, limit=limit)


async def _subject_page(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Rows of a page at the most.")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None,
        Query(pattern="^[A-Za-z0-9_=-]*$", max_length=8_192, description="`next_cursor` of the page before."),
    ] = None,
) -> Page:
    if cursor is None:
        return Page(limit=limit)
    try:
        return Page(after=base64.urlsafe_b64decode(cursor).decode("ascii").replace("\x00", ""), limit=limit)
    except ValueError:
        raise UnprocessableError(
            "This is no cursor.", next_step="Send `next_cursor` of the page before.", param="cursor"
        ) from None


SubjectPaging = Annotated[Page, Depends(_subject_page)]
"""As `Paging`, for rows that are told apart by a text."""


def subject_cursor(subject: str) -> str:
    """The cursor behind a row of this text."""
    return base64.urlsafe_b64encode(subject.encode("ascii")).decode()


Paging = Annotated[Page, Depends(_page)]
"""Which page is wanted."""


def listing(
    rows: Sequence[Row], page: Page, *, show: Callable[[Row], Item], id_of: Callable[[Row], str]
) -> Listing[Item]:
    """The page of these rows; one row more than its limit tells that there is a next one."""
    shown = rows[: page.limit]
    return Listing(data=[show(row) for row in shown], next_cursor=id_of(shown[-1]) if len(rows) > len(shown) else None)
