"""Load the installation's secret keys: from the environment, else from a 0600 file made at the first start."""

import base64
import binascii
import json
import os
from pathlib import Path

from tollway.config.secrets import SecretSettings
from tollway.identity.vault import SecretKeys

FILE_NAME = "secrets.json"
_KEY_BYTES = 32


class SecretKeysError(ValueError):
    """The secret keys cannot be used; the message says which and why, and never shows them."""


def _decode(name: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        message = f"{name} is not valid base64."
        raise SecretKeysError(message) from None
    if len(value) < _KEY_BYTES:
        message = f"{name} has {len(value)} bytes; it needs {_KEY_BYTES}. Make one with `openssl rand -base64 32`."
        raise SecretKeysError(message)
    return value


def _create(path: Path) -> None:
    """Write a new file, whole or not at all; if another process was first, its file stays."""
    keys = {name: base64.b64encode(os.urandom(_KEY_BYTES)).decode() for name in ("master_key", "key_pepper")}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(keys, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(partial)
        except FileExistsError:
            return
    finally:
        partial.unlink()


def load_secret_keys(settings: SecretSettings, data_dir: Path) -> SecretKeys:
    """The master key and the pepper.

    Raises:
        SecretKeysError: a key is malformed, or the file is readable by others.
    """
    stored: dict[str, str] = {}
    if settings.master_key is None or settings.key_pepper is None:
        path = data_dir / FILE_NAME
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            message = f"{path} can be read by other users. Run `chmod 600 {path}`."
            raise SecretKeysError(message)
        stored = json.loads(path.read_text(encoding="utf-8"))
    master = settings.master_key.get_secret_value() if settings.master_key else stored["master_key"]
    pepper = settings.key_pepper.get_secret_value() if settings.key_pepper else stored["key_pepper"]
    return SecretKeys(
        master=_decode("TOLLWAY_MASTER_KEY", master)[:_KEY_BYTES], pepper=_decode("TOLLWAY_KEY_PEPPER", pepper)
    )
