"""Identifiers: UUID version 7 (RFC 9562), so that rows sort by the time they were made; and names for people."""

import os
import re
import time

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

NAME_PATTERN = "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
"""Names of organizations, projects and providers: they stand in URLs and before the slash of ``provider/model``."""


def uuid7() -> str:
    """A new UUIDv7 in its canonical lower-case form: 48 bits of Unix milliseconds, then 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    value = (time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (random >> 68 & 0xFFF) << 64  # version, then 12 random bits
    value |= 0x2 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF  # variant, then 62 random bits
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uuid7(text: str) -> bool:
    """Whether the text is a UUIDv7 in canonical lower-case form."""
    return _UUID7.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID of any version in canonical lower-case form: an id, never a name."""
    return _UUID.fullmatch(text) is not None
