"""Tables and records for people."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollway.cli.output import printable

_PIPED_WIDTH = 240
"""Wide enough for every table: a program or a pager downstream cuts lines itself."""

Column = tuple[str, str]
"""Title, field (dots reach into objects). A title that ends with ``>`` is right-aligned."""


def terminal() -> Console:
    """Rich on stdout; wide where stdout is not a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show on a terminal's stderr that something is going on."""
    console = Console(stderr=True)
    with console.status(text) if console.is_terminal else nullcontext():
        yield


def cell(value: Any) -> str:
    """A value as people read it: nothing for null, yes and no, local time to the second."""
    return printable(_words(value))


def _words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return _moment(value)
        case list() | tuple():
            return ", ".join(_words(item) for item in value)
        case Mapping():
            return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    return str(value)


def _moment(text: str) -> str:
    if len(text) < len("2026-01-01T00:00:00Z") or text[10:11] != "T":
        return text
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def field(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; ``None`` where it is missing."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, empty: str) -> None:
    """Print rows in columns, or say that there are none (on stderr)."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for title, _ in columns:
        table.add_column(title.rstrip(">"), justify="right" if title.endswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell(field(row, path))) for _, path in columns))
    if table.row_count:
        terminal().print(table)
    else:
        Console(stderr=True, highlight=False).print(empty)


def print_record(row: Mapping[str, Any], columns: Sequence[Column]) -> None:
    """Print one thing, a field a line; what is empty is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for title, path in columns:
        if text := cell(field(row, path)):
            table.add_row(title.rstrip(">"), escape(text))
    terminal().print(table)
