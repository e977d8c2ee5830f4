"""Identifiers: UUID version 7 (RFC 9562), so that rows sort by the time they were made; and names for people."""

import os
import re
import time

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

NAME_PATTERN = "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
"""Names of organizations, projects and providers: they stand in URLs and before the slash of ``provider/model``."""


_AHEAD = 256
"""Random parts of ids are made so many at a time: a call of the operating system for each takes longer."""
_random_parts: list[str] = []
os.register_at_fork(after_in_child=_random_parts.clear)


def uuid7() -> str:
    """A new UUIDv7 in its canonical lower-case form: 48 bits of Unix milliseconds, then 74 random bits."""
    try:
        part = _random_parts.pop()
    except IndexError:  # also if another thread took the last one
        _random_parts.extend(_random_part(text) for text in _texts(os.urandom(10 * _AHEAD).hex(), 20))
        return uuid7()
    moment = f"{time.time_ns() // 1_000_000:012x}"
    return f"{moment[:8]}-{moment[8:]}-{part}"


def _random_part(text: str) -> str:
    """Version, variant and random bits, of 20 hexadecimal digits."""
    variant = "89ab"[int(text[0], 16) & 3]
    return f"7{text[1:4]}-{variant}{text[4:7]}-{text[8:]}"


def _texts(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)]


def is_uuid7(text: str) -> bool:
    """Whether the text is a UUIDv7 in canonical lower-case form."""
    return _UUID7.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID of any version in canonical lower-case form: an id, never a name."""
    return _UUID.fullmatch(text) is not None
