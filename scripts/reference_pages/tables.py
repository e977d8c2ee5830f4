"""Markdown tables made from the code: one function a table."""

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from tollway import errors
from tollway.app import create_control_plane
from tollway.config import CLIENT_VARIABLES, sections
from tollway.config.limits import LimitSettings
from tollway.errors import TollwayError
from tollway.factory.control import Factory
from tollway.providers.registry import REGISTRY
from tollway.providers.spec import COMMON_OPTIONS
from tollway.telemetry.metrics import METRICS, Metrics

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars and line ends within a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in line)} |" for line in lines
    )


def settings_table() -> str:
    """Every environment variable of the server, by section."""
    return "\n\n".join(
        f"## {name.replace('_', ' ').capitalize()}\n\n{_text(section)}\n\n{_fields_table(section.model_fields)}"
        for name, section in sections()
    )


def _text(documented: object) -> str:
    """The docstring on one line, with single backquotes."""
    return " ".join((inspect.getdoc(documented) or "").replace("``", "`").split())


def _fields_table(fields: dict[str, FieldInfo]) -> str:
    rows = (
        (f"`TOLLWAY_{name.upper()}`", _default(field), _allowed(field), field.description or "")
        for name, field in fields.items()
    )
    return table(("variable", "default", "allowed", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return _text(field.default_factory).rstrip(".")
    if field.default is None:
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    bounds = (
        f"{sign} {value:,}"
        for item in field.metadata
        for name, sign in _BOUNDS.items()
        if (value := getattr(item, name, None)) is not None
    )
    return ", ".join(bounds)


def client_variables() -> str:
    """The variables of the command line as a client."""
    return ", ".join(f"`{name}`" for name in sorted(CLIENT_VARIABLES))


def errors_table() -> str:
    """Every fault a caller may see, by status and code."""
    rows = (
        (f"`{error.code}`", str(error.status), f"`{error.kind}`", "yes" if error.retryable else "no", _text(error))
        for error in sorted(error_classes(), key=lambda error: (error.status, error.code))
    )
    return table(("code", "status", "type", "retry helps", "meaning"), rows)


def error_classes() -> list[type[TollwayError]]:
    """Every class of the taxonomy, but for the base that is never raised itself."""
    members = (member for _, member in inspect.getmembers(errors, inspect.isclass))
    return [member for member in members if issubclass(member, TollwayError) and member is not TollwayError]


def providers_table() -> str:
    """The rows of the registry."""
    rows = (
        (
            f"`{spec.name}`",
            spec.title,
            f"`{spec.base_url}`" if spec.base_url else "yours",
            _variable(spec.key_variable or spec.url_variable),
        )
        for spec in REGISTRY.values()
    )
    return table(("name", "provider", "address", "registered at start by"), rows)


def options_table() -> str:
    """The options that providers of the registry take."""
    rows = (
        (
            name,
            f"`{option.name}`",
            option.description,
            "required" if option.required and not option.default else f"`{option.default}`" if option.default else "",
            _variable(option.variable),
        )
        for name, options in (
            *((f"`{spec.name}`", spec.options) for spec in REGISTRY.values()),
            ("every kind", COMMON_OPTIONS),
        )
        for option in options
    )
    return table(("provider", "option", "meaning", "default", "variable"), rows)


def _variable(name: str) -> str:
    return f"`{name}`" if name else ""


def metrics_table() -> str:
    """Every metric, under the names that Prometheus sees."""
    rows = (
        (f"`{name}`", "counter" if name.endswith("_total") else "histogram", meaning)
        for name, meaning in METRICS.items()
    )
    return table(("metric", "type", "meaning"), rows)


def paths_table() -> str:
    """Every path of the administration interface and of the pages for operators, from the OpenAPI document."""
    app = create_control_plane(cast("Factory", None), LimitSettings(), cast("Metrics", None), required={}, wanted={})
    rows = (
        (f"`{method.upper()}`", f"`{path}`", _first_line(operation.get("description") or operation["summary"]))
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    )
    return table(("method", "path", "what it does"), rows)


def _first_line(text: str) -> str:
    return text.split("\n\n", 1)[0]


def decisions_table(folder: Path) -> str:
    """Every architecture decision record with its title."""
    pages = sorted(folder.glob("[0-9]*.md"))
    titles = (page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in pages)
    rows = (
        (f"[{page.stem[:4]}]({page.name})", title.split(" ", 1)[1]) for page, title in zip(pages, titles, strict=True)
    )
    return table(("number", "decision"), rows)
