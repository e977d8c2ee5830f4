"""Which server a command talks to, and with which key."""

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import typer

from tollway.cli.failure import CommandError, usage_error
from tollway.config.storage import default_data_dir
from tollway.services.first_keys import FILE_NAME

DEFAULT_URL = "http://127.0.0.1:8080"
_FILE_MAX_BYTES = 64 * 1024
_URL = re.compile(r"[!-~]+")

SERVER_PANEL = "Server"
"""Heading in help under which the options stand that say which server is meant."""

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="TOLLWAY_URL",
        rich_help_panel=SERVER_PANEL,
        help=f"Where Tollway answers; default: as its data directory says, or {DEFAULT_URL}.",
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="TOLLWAY_API_KEY",
        rich_help_panel=SERVER_PANEL,
        help="The key to use; default: the one that the first start left in the data directory.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="TOLLWAY_DATA_DIR",
        rich_help_panel=SERVER_PANEL,
        help="Data directory of the server on this machine.",
    ),
]

KeyKind = Literal["admin_key", "project_key"]
"""Which of the two first keys a command needs: for the control plane, or for a model."""


@dataclass(frozen=True)
class Endpoint:
    """Where the server is, and the key; ``None`` if there is none for it. `repr` hides it."""

    url: str
    key: str | None

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"


def find_endpoint(url: str | None, api_key: str | None, data_dir: Path | None, kind: KeyKind) -> Endpoint:
    """What the options and environment say, completed by the file of the first start.

    A key of that file goes to this machine and to the file's own address only, never to a host that was named.

    Raises:
        CommandError: the URL or the file cannot be used.
    """
    first: dict[str, Any] = {}
    if url is None or api_key is None:
        first = _first_keys(data_dir or default_data_dir())
    target = (url or first.get("url") or DEFAULT_URL).rstrip("/")
    host = _host(target)
    trusted = target == str(first.get("url", "")).rstrip("/") or is_loopback(host)
    return Endpoint(target, _clean(api_key or (first.get(kind) if trusted else None)))


def _host(url: str) -> str:
    """The host of an address that can be called.

    Raises:
        CommandError: it is no such address. It is not shown if it may hold a password.
    """
    advice = "Give --url or TOLLWAY_URL like http://127.0.0.1:8080."
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.port != 0 and _URL.fullmatch(url)
    except ValueError:  # a port out of range, or half a bracket
        usable, parts = None, urlsplit("")
    if parts.username or parts.password:
        raise usage_error("The address holds a user or a password.", f"Keys go to --api-key. {advice}")
    if not usable or not parts.hostname:
        raise usage_error(f"{url!r} is not an http or https address.", advice)
    return parts.hostname


def _clean(key: str | None) -> str | None:
    """The key as a header takes it.

    Raises:
        CommandError: no key looks like that.
    """
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise usage_error("The key has characters that no key has.", "Correct --api-key or TOLLWAY_API_KEY.")
    return key or None


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _first_keys(data_dir: Path) -> dict[str, Any]:
    path = data_dir / FILE_NAME
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_FILE_MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        raise CommandError(
            f"{path} belongs to another user.",
            code="not_allowed",
            next_step="Run as the user that runs Tollway, or set TOLLWAY_URL and TOLLWAY_API_KEY.",
        ) from error
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{path} cannot be read: {error}.", next_step="Set TOLLWAY_URL and TOLLWAY_API_KEY instead."
        ) from error
    return found if isinstance(found, dict) else {}
