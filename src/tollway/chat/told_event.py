"""The events of a stream that can be told again: numbered without a gap, whoever they came from. Pure.

Source: https://platform.openai.com/docs/api-reference/responses-streaming: every event has a ``sequence_number``, and
``starting_after`` names the last one that a caller has. A response in the background begins with ``response.created``
and ``response.queued``, and the last event tells the whole of it.
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.json_object import MALFORMED, decode_object, tolerant

ENDINGS = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.incomplete",
}
"""State of a response → the event that tells it as the last one. OpenAI's SDKs know none of its own for one that is
cancelled: it broke off, and its `status` says by what."""
BEGINNINGS = ("response.created", "response.queued")
_ENDS = tuple(f"event: {kind}\n".encode() for kind in ENDINGS.values())
_NUMBER = "sequence_number"
_encode = msgspec.json.Encoder().encode
_read_text = tolerant(msgspec.json.Decoder(str).decode)


def read(data: bytes) -> tuple[str, dict[str, Raw]]:
    """Type and members of an event; nothing of one that cannot be read."""
    try:
        members = decode_object(data)
        return _read_text(members.get("type", Raw(b'""'))), members
    except MALFORMED:
        return "", {}


def numbered(kind: str, members: dict[str, Any], number: int) -> bytes:
    """The event as it is told."""
    told = members | {"type": kind, _NUMBER: number}
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(told))


def ends(event: bytes) -> bool:
    """Whether an event is the last one of its response."""
    return event.startswith(_ENDS)


def split(events: bytes) -> list[bytes]:
    """Events that were joined; there is no line break within their JSON."""
    return [event + b"\n\n" for event in events.split(b"\n\n") if event]
