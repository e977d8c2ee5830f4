"""A group of commands whose modules are imported only when one of them is used, so that `tollway version` is quick."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tollway.late import import_late

Entry = tuple[str, str]
"""Module that holds the command, one line of help."""


class LazyCommand(TyperCommand):
    """Stands in lists and help for a command, and becomes the real one when it is called."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._module = module

    def load(self) -> Any:
        """The real command: the module's Typer app, or its function named as the command."""
        module = import_late(self._module)
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command(self.name)(getattr(module, str(self.name)))
        command = get_command(app)
        command.name = self.name
        command.help = command.help or self.help
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the arguments as the real command does; what runs afterwards is the context's command."""
        return self.load().make_context(info_name, args, parent, **extra)


class LazyGroup(TyperGroup):
    """Holds one `LazyCommand` for each entry, in the order given."""

    def __init__(self, *, entries: dict[str, Entry], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: LazyCommand(name, module, summary) for name, (module, summary) in entries.items()}
