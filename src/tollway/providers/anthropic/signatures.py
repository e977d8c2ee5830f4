"""Signatures of other providers in a dialect that has room for one's own only.

Callers give thoughts back as they got them. So that a provider which signs them (or calls of tools) in a way of its own
gets its signature back as well, it travels as ``tollway:SOURCE:ID:SIGNATURE`` in a block of thoughts.
"""

from typing import NamedTuple
from urllib.parse import quote, unquote

from tollway.chat.message import ThinkingPart, ToolCallPart
from tollway.providers.anthropic.names import SOURCE

_MARK = "tollway"
_CALL = "call"
_PARTS = 4


class Sealed(NamedTuple):
    """What was packed. Attributes: source: the wire format; id: its own id; value: signature or unreadable thoughts."""

    source: str
    id: str
    value: str


def seal(source: str, own_id: str, value: str) -> str:
    """Pack a foreign signature; Anthropic's own, and none at all, stay as they are."""
    if source in {"", SOURCE} or not (value or own_id):
        return value
    return f"{_MARK}:{quote(source, safe='')}:{quote(own_id, safe='')}:{value}"


def unseal(value: str) -> Sealed:
    """What `seal` packed; anything else is Anthropic's own."""
    parts = value.split(":", _PARTS - 1)
    if len(parts) < _PARTS or parts[0] != _MARK:
        return Sealed(SOURCE, "", value)
    return Sealed(unquote(parts[1]), unquote(parts[2]), parts[3])


def call_seal(part: ToolCallPart) -> str:
    """The signature of a call of a tool, for a block of unreadable thoughts; empty if it has none."""
    if not part.signature or part.source in {"", SOURCE}:
        return ""
    return seal(f"{_CALL}/{part.source}", part.id, part.signature)


def call_of(sealed: Sealed) -> Sealed | None:
    """The signature that `call_seal` packed, `id` being that of the call; ``None`` if it is of thoughts."""
    kind, slash, source = sealed.source.partition("/")
    return Sealed(source, sealed.id, sealed.value) if slash and kind == _CALL else None


def thoughts(text: str, signature: str) -> ThinkingPart:
    """Readable thoughts as they came."""
    sealed = unseal(signature)
    return ThinkingPart(text=text, signature=sealed.value, source=sealed.source, id=sealed.id)


def hidden_thoughts(data: str) -> ThinkingPart:
    """Unreadable thoughts as they came."""
    sealed = unseal(data)
    return ThinkingPart(redacted=sealed.value, source=sealed.source, id=sealed.id)
