"""Options that several commands take."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., None])


def option(name: str, kind: Any, *declarations: str, **attributes: Any) -> inspect.Parameter:
    """An option of a command, as a parameter that may be left out."""
    return left_out(name, Annotated[kind, typer.Option(*declarations, **attributes)])


def left_out(name: str, annotation: Any) -> inspect.Parameter:
    """A parameter that may be left out, of an option that is annotated."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def takes(*options: inspect.Parameter) -> Callable[[Command], Command]:
    """Give a command these options in the place of its ``**options``."""

    def give(function: Command) -> Command:
        signature = inspect.signature(function)
        fixed = [item for item in signature.parameters.values() if item.kind is not item.VAR_KEYWORD]
        function.__signature__ = signature.replace(parameters=[*fixed, *options])  # type: ignore[attr-defined]  # as read
        return function

    return give
