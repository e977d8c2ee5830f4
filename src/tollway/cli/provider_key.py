"""Where a command finds the credential of a provider: it is never an argument, which others on the machine can see."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tollway.cli.failure import usage_error
from tollway.services.provider_settings import CREDENTIAL_MAX_CHARS

KeyVariable = Annotated[
    str | None,
    typer.Option("--api-key-env", metavar="VAR", help="Environment variable of this command that holds its API key."),
]
KeyFile = Annotated[
    str | None,
    typer.Option(
        "--api-key-file", metavar="FILE", help="File that holds its API key, or a cloud's JSON document; - reads stdin."
    ),
]


def credential(variable: str | None, file: str | None) -> str | None:
    """The provider's key out of the variable or file; ``None`` if neither was named.

    Raises:
        CommandError: both were named, or what was named holds no key.
    """
    if variable and file:
        raise usage_error("Give --api-key-env or --api-key-file, not both.")
    if variable:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise usage_error(
                f"The environment variable {variable} is not set.",
                f"Set it (`export {variable}=…`) and run the command again; a provider without a key needs no option.",
            )
        return value
    if not file:
        return None
    try:
        if file == "-":
            value = sys.stdin.read(CREDENTIAL_MAX_CHARS + 1).strip()
        else:
            with Path(file).open(encoding="utf-8") as source:
                value = source.read(CREDENTIAL_MAX_CHARS + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise usage_error(f"{file} cannot be read: {error}.") from error
    if not value or len(value) > CREDENTIAL_MAX_CHARS:
        raise usage_error(f"{file} does not hold a key (1 to {CREDENTIAL_MAX_CHARS} characters).")
    return value
