"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator
from typing import Any

from typer import Context
from typer.core import TyperGroup

from reference_pages.tables import table
from tollway.cli.endpoint import SERVER_PANEL
from tollway.cli.lazy import LazyCommand
from tollway.cli.main import build


def leaves(command: Any = None, words: tuple[str, ...] = ("tollway",)) -> Iterator[tuple[str, Any]]:
    """Every command that does something: its words and itself."""
    real = command.load() if isinstance(command, LazyCommand) else command or build()
    if isinstance(real, TyperGroup):
        for name, below in real.commands.items():
            yield from leaves(below, (*words, name))
    else:
        yield " ".join(words), real


def commands_reference() -> str:
    """Each command with its arguments and options; those that say which server is meant stand once, at the top."""
    found = list(leaves())
    shared = next(command for words, command in found if words == "tollway keys list")
    parts = [f"## Which server\n\n{_options(shared, shared=True)}"]
    parts += [_command(words, command) for words, command in found]
    return "\n\n".join(parts)


def _command(words: str, command: Any) -> str:
    arguments = [param.metavar for param in command.params if param.param_type_name == "argument"]
    head = f"## `{words}`\n\n{command.help.replace('``', '`')}\n\n`{' '.join((words, *arguments))} [OPTIONS]`"
    options = _options(command, shared=False)
    return f"{head}\n\n{options}" if options else head


def _options(command: Any, *, shared: bool) -> str:
    rows = [
        (_name(param, command), _meaning(param))
        for param in command.params
        if (getattr(param, "rich_help_panel", None) == SERVER_PANEL) is shared
    ]
    return table(("argument or option", "meaning"), rows) if rows else ""


def _name(param: Any, command: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar}`"
    value = "" if param.is_flag else f" {param.metavar or param.display_type(Context(command))}"
    return ", ".join(f"`{name}{value}`" for name in (*param.opts, *param.secondary_opts))


def _meaning(param: Any) -> str:
    text = param.help or ""
    if param.required and param.param_type_name == "option":
        text += " Required."
    elif param.default not in (None, False, ()) and param.param_type_name == "option":
        text += f" Default: `{getattr(param.default, 'value', param.default)}`."
    return f"{text} Variable: `{param.envvar}`." if param.envvar else text
