"""Find the marked parts of the pages, and say what belongs there.

A part stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``; the rest of the page is written by hand.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from reference_pages import tables
from reference_pages.commands import commands_reference
from reference_pages.translation import translation_tables

ROOT = Path(__file__).parents[2]
_PART = re.compile(r"(?P<begin><!-- begin: (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- end: (?P=name) -->)", re.DOTALL)

PARTS: Mapping[str, Callable[[], str]] = {
    "settings": tables.settings_table,
    "errors": tables.errors_table,
    "metrics": tables.metrics_table,
    "paths": tables.paths_table,
    "commands": commands_reference,
    "providers": tables.providers_table,
    "options": tables.options_table,
    "translation": translation_tables,
    "decisions": lambda: tables.decisions_table(ROOT / "docs" / "adr"),
}
"""Name of a part → what writes it."""


def pages(root: Path = ROOT) -> Iterator[Path]:
    """Every page of the documentation."""
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "bench").glob("*.md"))
    yield from sorted((root / "docs").rglob("*.md"))


def parts_of(text: str) -> list[str]:
    """The names of the parts that are marked in a page."""
    return [match["name"] for match in _PART.finditer(text)]


def written(text: str) -> str:
    """The page with every marked part as the code has it now.

    Raises:
        KeyError: a part has a name that nothing writes.
    """
    return _PART.sub(lambda match: f"{match['begin']}{PARTS[match['name']]()}\n{match['end']}", text)
