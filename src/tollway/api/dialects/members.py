"""One object of a request that is translated, read member by member; what nobody read is reported as lost. Pure."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, decode_object, tolerant

_decode_text = tolerant(msgspec.json.Decoder(str).decode)
_decode_list = tolerant(msgspec.json.Decoder(list[Raw]).decode)
_decode_number = msgspec.json.Decoder(float).decode
_decode_integer = msgspec.json.Decoder(int, strict=False).decode
_NULL = b"null"
_T = TypeVar("_T")


class Members:
    """The members of an object, each taken once. A member that is null counts as absent.

    Attributes:
        path: of the object in the request, empty for the request itself.
    """

    __slots__ = ("_left", "path")

    def __init__(self, fields: dict[str, Raw], path: str = "") -> None:
        self._left = fields
        self.path = path

    @classmethod
    def of(cls, raw: Raw, path: str) -> "Members":
        """The members of a value.

        Raises:
            InvalidRequestError: it is no object.
        """
        return cls(_read(decode_object, raw, path, "an object"), path)

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def raw(self, name: str) -> Raw | None:
        """Any value."""
        value = self._left.pop(name, None)
        return None if value is None or bytes(value) == _NULL else value

    def text(self, name: str) -> str:
        """A text; empty if absent.

        Raises:
            InvalidRequestError: it is something else.
        """
        value = self.raw(name)
        return "" if value is None else text_of(value, self.at(name))

    def required_text(self, name: str) -> str:
        """A text that must be there.

        Raises:
            InvalidRequestError: it is absent, or something else.
        """
        value = self.raw(name)
        if value is None:
            raise wrong(self.at(name), "a string")
        return text_of(value, self.at(name))

    def flag(self, name: str) -> bool | None:
        """True or false; ``None`` if absent."""
        value = self.raw(name)
        if value is None:
            return None
        if bytes(value) not in {b"true", b"false"}:
            raise wrong(self.at(name), "true or false")
        return bytes(value) == b"true"

    def number(self, name: str) -> float | None:
        """A number; ``None`` if absent."""
        value = self.raw(name)
        return None if value is None else _read(_decode_number, value, self.at(name), "a number")

    def integer(self, name: str) -> int | None:
        """A whole number; ``None`` if absent."""
        value = self.raw(name)
        return None if value is None else _read(_decode_integer, value, self.at(name), "a whole number")

    def list(self, name: str) -> list[Raw]:
        """The elements of a list; none if absent."""
        value = self.raw(name)
        return [] if value is None else list_of(value, self.at(name))

    def members(self, name: str) -> "Members | None":
        """An object; ``None`` if absent."""
        value = self.raw(name)
        return None if value is None else Members.of(value, self.at(name))

    def ignore(self, *names: str) -> None:
        """Take members that say nothing to a model."""
        for name in names:
            self._left.pop(name, None)

    def lose_rest(self, losses: Losses) -> None:
        """Report what was not taken."""
        for name, value in self._left.items():
            if bytes(value) != _NULL:
                losses.lose(self.at(name))

    def rest(self) -> dict[str, Raw]:
        """What was not taken, as it came."""
        return {name: value for name, value in self._left.items() if bytes(value) != _NULL}


def is_text(raw: Raw) -> bool:
    """Whether a value is a text."""
    return bytes(raw).startswith(b'"')


def text_of(raw: Raw, path: str) -> str:
    """A text.

    Raises:
        InvalidRequestError: it is something else.
    """
    return _read(_decode_text, raw, path, "a string")


def list_of(raw: Raw, path: str) -> list[Raw]:
    """The elements of a list.

    Raises:
        InvalidRequestError: it is something else.
    """
    return _read(_decode_list, raw, path, "a list")


def _read(decode: Callable[[Raw], _T], raw: Raw, path: str, wanted: str) -> _T:
    """A value, decoded. Raises InvalidRequestError if it is not what is wanted."""
    try:
        return decode(raw)
    except MALFORMED:
        raise wrong(path, wanted) from None


def wrong(path: str, wanted: str) -> InvalidRequestError:
    """What is said of a value that is of another kind than it should be."""
    return InvalidRequestError(f"`{path[:200]}` must be {wanted}.", param=path[:200])
