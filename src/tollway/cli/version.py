"""`tollway version`."""

import platform

import typer

from tollway import __version__
from tollway.cli.output import AsJson, print_json


def version(*, as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__, "python": platform.python_version(), "platform": platform.platform()})
    else:
        typer.echo(f"tollway {__version__}")
