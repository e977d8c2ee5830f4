"""A dialogue in short: the item that stands for what was said, and how it is read again. Pure.

Source: https://platform.openai.com/docs/api-reference/responses/compact. OpenAI's own ``compaction`` items are
encrypted, and go back to OpenAI only. Ours hold a summary in words, packed behind a mark, and are told to any provider
as a developer's message.
"""

import base64
import binascii
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from tollway.chat.items import look
from tollway.json_object import MALFORMED, decode_object, tolerant

KIND = "compaction"
PACK_MARK = "tollway.1."
"""Begins what Tollway packs into ``encrypted_content``; nothing of OpenAI's does."""
_LEAD = "What was said before, in short:\n\n"
_read_text = tolerant(msgspec.json.Decoder(str).decode)
_encode = msgspec.json.Encoder().encode


def packed(summary: str) -> str:
    """What stands in ``encrypted_content``."""
    return PACK_MARK + base64.b64encode(summary.encode(errors="replace")).decode()


def unfolded(items: Sequence[Raw]) -> list[Raw]:
    """Items with ours told in words; those of a provider stay as they are."""
    return [_unfolded(item) if _may_be_ours(item) else item for item in items]


def are_folded(items: Sequence[Raw]) -> bool:
    """Whether one of them may be ours."""
    return any(map(_may_be_ours, items))


def _may_be_ours(item: Raw) -> bool:
    data = bytes(item)
    return PACK_MARK.encode() in data and b'"compaction"' in data


def _unfolded(item: Raw) -> Raw:
    if look(item).type != KIND:
        return item
    try:
        content = _read_text(decode_object(item)["encrypted_content"])
        if not content.startswith(PACK_MARK):
            return item
        summary = base64.b64decode(content[len(PACK_MARK) :], validate=True).decode()
    except (KeyError, binascii.Error, ValueError, *MALFORMED):
        return item  # whoever is asked says what is wrong with it
    return Raw(_encode({"type": "message", "role": "developer", "content": _LEAD + summary}))
