r"""The top level of a JSON object, every value in the text it came in. Pure.

The decoder wants every escape to be text. JSON itself allows half a surrogate pair (``"\ud83d"``, RFC 8259 section
8.2), and providers send them: a character cut in two by the end of a token. Such a value is passed on as it came, and
read with U+FFFD in its place.
"""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

_T = TypeVar("_T")

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""

_SURROGATE = re.compile(
    rb"\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
"""A surrogate pair, or half of one; or what looks so behind an escaped backslash."""
_SURROGATES_MAX = 100_000
"""More are not looked at, so that no body can keep a worker busy: these take 50 ms."""
_BACKSLASH = 0x5C
_REPLACEMENT = b"fffd"
_TO_VALUE = re.compile(rb'[ \t\n\r]*[{,][ \t\n\r]*(?P<name>"[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]*:[ \t\n\r]*')
_TO_END = re.compile(rb"[ \t\n\r]*\}[ \t\n\r]*\Z")

_MARKS_BYTES = len(b'"":,')
"""What a member has besides its name and value, where nothing is written that need not be."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_name = msgspec.json.Decoder(str).decode


def decode_object(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of an object in their order, values raw.

    Raises:
        msgspec.DecodeError, RecursionError: it is not a JSON object; or it holds half a surrogate pair somewhere, and
            in a name at its top level as well, or a name twice.
    """
    try:
        return _decode(data)
    except msgspec.DecodeError:
        original = bytes(data)
        readable = without_halves(original)
        if readable == original:
            raise
    return _originals(original, readable, _decode(readable))


def repeated_name(data: bytes, fields: dict[str, msgspec.Raw]) -> str | None:
    """A name that is there twice, of which readers differ in which value they take; ``None`` if each is there once.

    Args:
        data: a JSON object.
        fields: what `decode_object` made of it.
    """
    least = _MARKS_BYTES * len(fields) + 1 + sum(map(len, fields)) + sum(map(len, fields.values()))
    if len(data) == least:  # as most SDKs write: there is room for nothing else
        return None
    position = 0
    for name, value in fields.items():
        before = _TO_VALUE.match(data, position)
        if before is None:
            return name
        found = _decode_name(before["name"])
        if found != name or not data.startswith(bytes(value), before.end()):
            return found
        position = before.end() + len(value)
    more = _TO_VALUE.match(data, position)
    return _decode_name(more["name"]) if more is not None else None


def tolerant(decode: Callable[[bytes], _T]) -> Callable[[bytes | msgspec.Raw], _T]:
    """A decoder that reads half a surrogate pair as U+FFFD, where `decode` raises for it."""

    def tolerant_decode(data: bytes | msgspec.Raw) -> _T:
        try:
            return decode(data)
        except msgspec.DecodeError:
            readable = without_halves(original := bytes(data))
            if readable == original:
                raise
        return decode(readable)

    return tolerant_decode


def utf8_only(decode: Callable[[bytes], _T]) -> Callable[[bytes], _T]:
    """A decoder that raises UnicodeDecodeError for what is not UTF-8 anywhere, also in values that stay raw."""

    def strict_decode(data: bytes) -> _T:
        data.isascii() or data.decode()
        return decode(data)

    return strict_decode


def without_halves(data: bytes) -> bytes:
    """The same JSON, of the same length, with an escaped U+FFFD for every escaped half of a surrogate pair."""
    readable = bytearray(data)
    position = 0
    for _ in range(_SURROGATES_MAX):
        found = _SURROGATE.search(data, position)
        if found is None:
            break
        position = found.end()
        if _is_escaped(data, found.start()):
            position = found.start() + 1
        elif found["half"]:
            readable[position - len(_REPLACEMENT) : position] = _REPLACEMENT
    return bytes(readable)


def _is_escaped(data: bytes, position: int) -> bool:
    """Whether the backslash there is itself escaped: by an odd number of others before it."""
    first = position
    while first and data[first - 1] == _BACKSLASH:
        first -= 1
    return (position - first) % 2 == 1


def _originals(original: bytes, readable: bytes, fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The same fields with the values of the original text, found by the lengths of those that were read."""
    found: dict[str, msgspec.Raw] = {}
    position = 0
    for name, value in fields.items():
        start = position if (before := _TO_VALUE.match(readable, position)) is None else before.end()
        end = start + len(bytes(value))
        if original[position:start] != readable[position:start]:
            raise msgspec.DecodeError("The name of a field holds half a surrogate pair")
        if readable[start:end] != bytes(value):
            raise msgspec.DecodeError("A field is there twice")
        found[name] = msgspec.Raw(original[start:end])
        position = end
    if fields and not _TO_END.match(readable, position):
        raise msgspec.DecodeError("A field is there twice")
    return found
