"""Which part of a list is wanted."""

from typing import Any, TypeVarTuple

import msgspec
from sqlalchemy import Select

Columns = TypeVarTuple("Columns")


class Page(msgspec.Struct, frozen=True):
    """A page in the order of ids, which is the order of creation.

    Attributes:
        after: id of the last row of the page before; ``None`` for the first page.
        limit: rows that are shown.
    """

    after: str | None = None
    limit: int = 50


def paged(statement: Select[*Columns], id_column: Any, page: Page) -> Select[*Columns]:
    """The statement for this page: one row more than shown, so that the caller sees whether there is a next one."""
    if page.after is not None:
        statement = statement.where(id_column > page.after)
    return statement.order_by(id_column).limit(page.limit + 1)
