"""What makes the budgets and limits of a server those of a declaration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from tollway.cli.change import Action, Change, differences
from tollway.cli.client import ApiClient
from tollway.cli.declaration import Declaration, DeclaredScope
from tollway.cli.desk import given, path
from tollway.cli.failure import CommandError, usage_error
from tollway.cli.scope import scope_text

Row = Mapping[str, Any]


def budgets(api: ApiClient, wanted: Declaration) -> Iterator[Change]:
    """The changes of budgets."""
    if wanted.budgets is None:
        return
    items = [(declared, {"window": declared.window}, declared.settings) for declared in wanted.budgets]
    yield from _changes(api, "budget", items, _budget_name)


def limits(api: ApiClient, wanted: Declaration) -> Iterator[Change]:
    """The changes of rate limits."""
    if wanted.limits is None:
        return
    items = [
        (declared, given(unit=unit, window=window), given(limit=limit, queue_s=declared.queue_s))
        for declared in wanted.limits
        for (unit, window), limit in declared.amounts.items()
    ]
    yield from _changes(api, "limit", items, _limit_name)


Item = tuple[DeclaredScope, dict[str, Any], dict[str, Any]]
"""Whom it is for, what besides tells it apart, and what is said of it."""


def _changes(api: ApiClient, noun: str, items: Sequence[Item], name_of: Callable[[Row], str]) -> Iterator[Change]:
    """Create, change and remove.

    Raises:
        CommandError: something is declared twice.
    """
    rows: list[Row] = list(api.pages(path(f"{noun}s")))
    kept: set[str] = set()
    named: set[str] = set()
    for scope, identity, settings in items:
        name = name_of(scope.scope_shown | {"window": None} | identity)
        if name in named:
            raise usage_error(f"Declared twice: {noun} {name}.")
        named.add(name)
        row = _present(api, noun, rows, scope, identity)
        if row is not None:
            kept.add(row["id"])
        shown = differences(row, settings)
        if row is None:
            body = scope.scope | identity | settings
            yield Change(Action.CREATE, noun, name, partial(ApiClient.put, path=path(f"{noun}s"), body=body), shown)
        elif shown:
            make = partial(ApiClient.patch, path=path(f"{noun}s", row["id"]), body=settings)
            yield Change(Action.CHANGE, noun, name, make, shown)
    for row in rows:
        if row["id"] not in kept:
            remove = partial(ApiClient.delete, path=path(f"{noun}s", row["id"]))
            yield Change(Action.REMOVE, noun, name_of(row), remove)


def _present(api: ApiClient, noun: str, rows: list[Row], scope: DeclaredScope, identity: dict[str, Any]) -> Row | None:
    """The row of this scope. A key's are asked for: one of a revoked key of the same name would bind nobody."""
    if scope.key is not None:
        rows = _of_key(api, noun, scope)
    wanted = scope.scope_shown | {"window": None} | identity
    return next((row for row in rows if all(row[name] == value for name, value in wanted.items())), None)


def _of_key(api: ApiClient, noun: str, scope: DeclaredScope) -> list[Row]:
    try:
        return list(api.pages(path(f"{noun}s"), {"project": scope.project, "key": scope.key}))
    except CommandError as error:
        if error.status == HTTPStatus.NOT_FOUND:  # the key, or its project, is yet to be made
            return []
        raise


def _budget_name(row: Row) -> str:
    return f"{scope_text(row)} a {row['window']}" if row["window"] != "total" else f"{scope_text(row)} in total"


def _limit_name(row: Row) -> str:
    return f"{scope_text(row)}: {row['unit']}" + (f" a {row['window']}" if row["window"] else "")
