"""Whom a budget or limit is for: options, and how it is shown."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tollway.cli.desk import given
from tollway.cli.failure import usage_error
from tollway.cli.options import option

_PANEL = "Whom it is for (nothing: the whole organization)"
_SCOPE: dict[str, tuple[str, ...]] = {
    "project": ("--project", "-p", "Name or id of a project."),
    "key": ("--key", "Name or id of a key."),
    "user": ("--user", "An end user, as requests name it."),
    "tag": ("--tag", "A tag of requests: name=value, or name for any."),
    "provider": ("--provider", "Name of a provider."),
    "model": ("--model", "provider/model, provider/* or an alias."),
    "each": (
        "--each",
        "Give every project, key, user, tag, provider or model the amount for itself; repeat for several.",
    ),
}
SCOPE_OPTIONS = tuple(
    option(name, list[str] | None if name == "each" else str | None, *names, rich_help_panel=_PANEL, help=told)
    for name, (*names, told) in _SCOPE.items()
)


def scope_body(options: Mapping[str, Any]) -> dict[str, Any]:
    """The scope as the API takes it, of `SCOPE_OPTIONS` and perhaps others.

    Raises:
        CommandError: the tag is not of the form name or name=value.
    """
    return given(
        **{name: options[name] or None for name in _SCOPE if name != "tag"},
        tag=None if options["tag"] is None else tag_body(options["tag"]),
    )


def tag_body(text: str) -> dict[str, str]:
    """A tag as the API takes it.

    Raises:
        CommandError: it is not of the form name or name=value.
    """
    name, equals, value = text.partition("=")
    if not name or (equals and not value):
        raise usage_error(f"--tag takes name=value, or name for any value, not {text!r}.")
    return given(name=name, value=value or None)


def scope_text(row: Mapping[str, Any]) -> str:
    """Whom it is for, in words: ``project chatbot, each user``."""
    parts = [f"{name} {row[name]}" for name in ("project", "key", "user", "provider", "model") if row[name] is not None]
    if tag := row["tag"]:
        parts.append(f"tag {tag['name']}" + ("" if tag["value"] is None else f"={tag['value']}"))
    parts += [f"each {dimension}" for dimension in row["each"]]
    return ", ".join(parts) or "everything"


def with_scope(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with their scope in words, for tables."""
    return ({**row, "scope": scope_text(row)} for row in rows)


def subject_text(row: Mapping[str, Any]) -> str:
    """Whose window it is, in words."""
    return ", ".join(f"{name} {value}" for name, value in row["subject"].items())
