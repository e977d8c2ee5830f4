"""Which database objects are compared with the models: partitions are made as time passes, so no model names them."""

import re
from collections.abc import MutableMapping
from typing import Literal

_PARTITION = re.compile(r"ledger_entry_\d{6}", re.ASCII)

ParentKey = Literal["schema_name", "table_name", "schema_qualified_table_name"]


def include_name(name: str | None, kind: str, parents: MutableMapping[ParentKey, str | None]) -> bool:
    """Whether alembic compares the object of this name."""
    table = name if kind == "table" else parents.get("table_name")
    return table is None or _PARTITION.fullmatch(table) is None
