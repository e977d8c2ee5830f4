"""Plain output: JSON for programs on stdout, remarks for people on stderr."""

import json
import sys
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else, to stdout.")]


def print_json(value: Any) -> None:
    """Write the value to stdout as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def printable(text: str) -> str:
    """Without control characters: neither a model nor whoever names things may drive the reader's terminal."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def remark(text: str) -> None:
    """Write a line for the person at the terminal to stderr, so that stdout stays data."""
    sys.stderr.write(text + "\n")
