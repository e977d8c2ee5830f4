"""The query and the bodies of the endpoints of responses and conversations."""

from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from tollway.chat.items import is_id, items_of
from tollway.errors import InvalidRequestError, MalformedBodyError
from tollway.json_object import MALFORMED, decode_object
from tollway.services.item_page import ItemWish

_LIMIT_DEFAULT, _LIMIT_MAX = 20, 100
_NUMBER_MAX_DIGITS = 12
_ITEMS_MAX = 20
"""OpenAI's, of one request."""
_PAIRS_MAX, _NAME_MAX_CHARS, _VALUE_MAX_CHARS = 16, 64, 512
"""OpenAI's limits of `metadata`."""
_KNOWN = frozenset(
    {"after", "limit", "order", "include", "include[]", "stream", "starting_after", "include_obfuscation"}
)
_decode_metadata = msgspec.json.Decoder(dict[str, str] | None).decode
_encode = msgspec.json.Encoder().encode


class Query:
    """The query of a request.

    Raises:
        InvalidRequestError: it is no query, or asks for something unknown.
    """

    def __init__(self, query: bytes) -> None:
        try:
            self._values = parse_qs(query.decode(), keep_blank_values=True, max_num_fields=64)
        except ValueError:
            raise InvalidRequestError("The query cannot be read.") from None
        for name in self._values:
            if name not in _KNOWN:
                raise InvalidRequestError(f"`{name[:64]}` is not known here.", param=name[:64])

    @property
    def include(self) -> frozenset[str]:
        """What is only shown if it is asked for."""
        return frozenset((*self._values.get("include", ()), *self._values.get("include[]", ())))

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for."""
        return self._last("stream") == "true"

    @property
    def starting_after(self) -> int:
        """The number of the last event that the caller has; -1 if it has none.

        Raises:
            InvalidRequestError: it is no number.
        """
        number = self._last("starting_after")
        if number and not (number.isdecimal() and number.isascii() and len(number) <= _NUMBER_MAX_DIGITS):
            raise InvalidRequestError("`starting_after` must be the number of an event.", param="starting_after")
        return int(number) if number else -1

    @property
    def wish(self) -> ItemWish:
        """Which items are asked for.

        Raises:
            InvalidRequestError: a value is not what it should be.
        """
        limit, order = self._last("limit"), self._last("order") or "desc"
        if limit and not (limit.isdecimal() and len(limit) <= len(str(_LIMIT_MAX)) and 1 <= int(limit) <= _LIMIT_MAX):
            raise InvalidRequestError(f"`limit` must be a number from 1 to {_LIMIT_MAX}.", param="limit")
        if order not in {"asc", "desc"}:
            raise InvalidRequestError("`order` must be asc or desc.", param="order")
        after = self._last("after")
        if after and not is_id(after):
            raise InvalidRequestError("`after` must be the id of an item.", param="after")
        return ItemWish(
            int(limit) if limit else _LIMIT_DEFAULT,
            after or None,
            order == "asc",
            self.include,
        )

    def _last(self, name: str) -> str:
        return self._values.get(name, [""])[-1]


def body_of(body: bytes) -> dict[str, Raw]:
    """The members of a body; none if it is empty.

    Raises:
        MalformedBodyError: it is no JSON object.
    """
    if not body.strip():
        return {}
    try:
        fields = decode_object(body)
        body.isascii() or body.decode()
    except MALFORMED:
        raise MalformedBodyError("The body is not a JSON object.", next_step="Send one JSON object in UTF-8.") from None
    return fields


def given_items(fields: dict[str, Raw]) -> list[Raw]:
    """The items of a body.

    Raises:
        InvalidRequestError: they are not what they should be, or too many.
    """
    raw = fields.get("items", Raw(b"null"))
    if bytes(raw).startswith(b'"'):
        raise InvalidRequestError("`items` must be a list of objects.", param="items")
    items = items_of(raw, "items")
    if len(items) > _ITEMS_MAX:
        raise InvalidRequestError(f"There are {len(items)} items; {_ITEMS_MAX} can be added at a time.", param="items")
    return items


def given_metadata(fields: dict[str, Raw]) -> bytes:
    """The metadata of a body as JSON.

    Raises:
        InvalidRequestError: it is not what it should be.
    """
    try:
        metadata = _decode_metadata(fields.get("metadata", Raw(b"null"))) or {}
    except msgspec.DecodeError:
        raise InvalidRequestError("`metadata` must be an object of strings.", param="metadata") from None
    too_long = any(len(name) > _NAME_MAX_CHARS or len(value) > _VALUE_MAX_CHARS for name, value in metadata.items())
    if len(metadata) > _PAIRS_MAX or too_long:
        raise InvalidRequestError(
            f"`metadata` has at most {_PAIRS_MAX} pairs of {_NAME_MAX_CHARS} and {_VALUE_MAX_CHARS} characters.",
            param="metadata",
        )
    return _encode(metadata)
