"""Thoughts of any provider in the one member that Responses has for them: ``encrypted_content``.

OpenAI's own is opaque text. What another provider gave to prove its thoughts is packed into text that begins with a
mark of ours, so that it finds its way back to that provider, and to no other.
"""

import base64
import binascii

import msgspec

from tollway.chat.compaction import PACK_MARK
from tollway.chat.message import ThinkingPart

SOURCE = "responses"
"""Name of the dialect, and of what it alone knows."""


class _Packed(msgspec.Struct, array_like=True):
    source: str
    signature: str
    redacted: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Packed).decode


def packed(part: ThinkingPart) -> str:
    """What stands in ``encrypted_content``; empty if the thoughts need no proof."""
    if part.source == SOURCE:
        return part.signature
    if not part.signature and not part.redacted:
        return ""
    return PACK_MARK + base64.b64encode(_encode(_Packed(part.source, part.signature, part.redacted))).decode()


def unpacked(content: str, *, text: str, id_: str) -> ThinkingPart:
    """The thoughts of an item."""
    if content.startswith(PACK_MARK):
        try:
            found = _decode(base64.b64decode(content[len(PACK_MARK) :], validate=True))
        except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError):
            found = _Packed("", "", "")
        return ThinkingPart(text=text, signature=found.signature, redacted=found.redacted, source=found.source, id=id_)
    return ThinkingPart(text=text, signature=content, source=SOURCE, id=id_)
