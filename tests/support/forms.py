"""Multipart forms as HTTP clients send them."""

import json
from collections.abc import Mapping
from typing import Any


def form_body(fields: Mapping[str, Any], boundary: str) -> bytes:
    """A form: bytes are files, texts are sent as they are, anything else as JSON."""
    parts = [_part(name, value) for name, value in fields.items()]
    mark = boundary.encode()
    return b"".join(b"--%b\r\n%b\r\n" % (mark, part) for part in parts) + b"--%b--\r\n" % mark


def _part(name: str, value: Any) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"'
    if isinstance(value, bytes):
        return f'{head}; filename="{name}.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + value
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{head}\r\n\r\n{text}".encode()
