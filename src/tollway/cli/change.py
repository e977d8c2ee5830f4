"""One difference between what is declared and what is there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tollway.cli.client import ApiClient

HIDDEN = "(secret)"
"""Stands for a credential in every diff."""


class Action(StrEnum):
    """What is done, and the sign it has in a diff."""

    CREATE = "+"
    CHANGE = "~"
    REMOVE = "-"


@dataclass(frozen=True)
class Change:
    """One thing to create, change or remove.

    Attributes:
        action: which of these.
        noun: what kind of thing.
        name: which one.
        fields: field → (before, after), as shown.
        make: does it; returns the API's answer.
    """

    action: Action
    noun: str
    name: str
    make: Callable[[ApiClient], Any]
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        fields = {name: {"from": before, "to": after} for name, (before, after) in self.fields.items()}
        return {"action": self.action.name.lower(), "noun": self.noun, "name": self.name, "fields": fields}


def differences(present: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The wanted fields that are not so. ``None`` means: as it is; nothing and an empty value are the same."""
    have = present or {}
    return {
        name: (have.get(name), value)
        for name, value in wanted.items()
        if value is not None and have.get(name) != value and (have.get(name) or value)
    }
