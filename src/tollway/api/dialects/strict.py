"""Typed decoding that leaves nothing out in silence: a member that a type does not know is a loss, by its path. Pure.

The usual request has none, and costs one pass of the decoder. Only where that fails, the JSON is walked along the type,
members it does not know are reported and taken out, and what is left is decoded again.
"""

import re
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, inspect

from tollway.chat.losses import Losses
from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, decode_object, tolerant

_T = TypeVar("_T")
_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_decode_list = tolerant(msgspec.json.Decoder(list[Raw]).decode)
_decode_any = tolerant(msgspec.json.Decoder().decode)
_encode = msgspec.json.Encoder().encode


class StrictDecoder(Generic[_T]):
    """Decodes values of one type. Members are unknown only to structs that forbid them."""

    def __init__(self, type_: type[_T]) -> None:
        self._type = type_
        self._decode = tolerant(msgspec.json.Decoder(type_).decode)

    @cached_property
    def _shape(self) -> inspect.Type:
        return inspect.type_info(self._type)

    def attempt(self, raw: bytes | Raw) -> _T | None:
        """The value, ``None`` if it holds anything that is not known or not right."""
        try:
            return self._decode(raw)
        except MALFORMED:
            return None

    def decode(self, raw: bytes | Raw, losses: Losses, path: str = "") -> _T:
        """The value.

        Args:
            raw: its JSON.
            losses: where unknown members are reported.
            path: of the value in the body, empty for the body itself.

        Raises:
            InvalidRequestError: a value is not what the dialect says.
            UnsupportedFieldError: see `Losses`.
        """
        if (found := self.attempt(raw)) is not None:
            return found
        try:
            return self._decode(_pruned(bytes(raw), self._shape, path, losses) or b"null")
        except MALFORMED as error:
            raise _invalid(error, path) from None


def _pruned(raw: bytes, shape: inspect.Type, path: str, losses: Losses) -> bytes:
    """The JSON without what the type does not know; empty if that is all of it."""
    options = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    text = raw.lstrip()
    if text.startswith(b"{"):
        structs = [option for option in options if isinstance(option, inspect.StructType)]
        return _pruned_object(raw, structs, path, losses) if structs else raw
    lists = [option for option in options if isinstance(option, inspect.ListType)]
    if not text.startswith(b"[") or not lists:
        return raw
    kept = []
    for index, item in enumerate(_decode_list(raw)):
        place = f"{path}.{index}".lstrip(".")
        if inner := _pruned(bytes(item), lists[0].item_type, place, losses):
            kept.append(Raw(inner))
        else:
            losses.lose(place)
    return _encode(kept)


def _pruned_object(raw: bytes, structs: list[inspect.StructType], path: str, losses: Losses) -> bytes:
    members = decode_object(raw)
    struct = _chosen(structs, members)
    if struct is None:
        return b""
    fields = {field.encode_name: field.type for field in struct.fields}
    kept = {}
    for name, value in members.items():
        place = f"{path}.{name}".lstrip(".")
        if name in fields:
            if inner := _pruned(bytes(value), fields[name], place, losses):
                kept[name] = Raw(inner)
            else:
                losses.lose(place)
        elif name == struct.tag_field or not struct.forbid_unknown_fields:
            kept[name] = value
        elif bytes(value) != b"null":
            losses.lose(place)
    return _encode(kept)


def _chosen(structs: list[inspect.StructType], members: dict[str, Raw]) -> inspect.StructType | None:
    """The one that the object says it is; ``None`` if it says it is none of them."""
    tag_field = structs[0].tag_field
    if tag_field is None or tag_field not in members:
        return structs[0]
    tag: Any = _decode_any(members[tag_field])
    return next((struct for struct in structs if struct.tag == tag), None)


def _invalid(error: Exception, path: str) -> InvalidRequestError:
    """The decoder's words, with the path as callers write it."""
    words = str(error)
    where = _WHERE.search(words)
    if where is None:
        return InvalidRequestError(f"The request cannot be read: {words[:200]}.", param=path or None)
    inner = where["path"].replace("[...]", ".…").replace("[", ".").replace("]", "")
    param = f"{path}{inner}".lstrip(".")
    return InvalidRequestError(f"`{param}` is not as it should be: {words[: where.start()]}.", param=param or None)
