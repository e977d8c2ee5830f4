"""Items: what a dialogue that Tollway keeps is made of, in the form of OpenAI's Responses API. Pure.

Source: https://platform.openai.com/docs/api-reference/responses/input-items. Items are kept as they came; what a list
of them shows besides (an id, a type, a status) is added when they are shown.
"""

from collections.abc import Container, Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw

from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, decode_object, tolerant

ITEM_ID_MAX_CHARS = 200
_ID_CHARS = 48
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}
_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_CALLS = frozenset({"function_call", "custom_tool_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})

_read_text = tolerant(msgspec.json.Decoder(str).decode)
_read_list = tolerant(msgspec.json.Decoder(list[Raw]).decode)
_read_any = tolerant(msgspec.json.Decoder().decode)
_encode = msgspec.json.Encoder().encode


class Item(msgspec.Struct, gc=False):
    """What is looked at in an item, whatever else it holds."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    role: str = ""


_read_item = tolerant(msgspec.json.Decoder(Item).decode)


def items_of(raw: Raw | None, path: str = "input") -> list[Raw]:
    """The items of an ``input``; a text is a message of the user's.

    Raises:
        InvalidRequestError: it is neither a text nor a list of objects.
    """
    if raw is None or bytes(raw) == b"null":
        return []
    try:
        if bytes(raw).startswith(b'"'):
            content = {"type": "message", "role": "user", "content": _read_text(raw)}
            return [Raw(_encode(content))]
        items = _read_list(raw)
    except MALFORMED:
        items = [Raw(b"0")]
    if not all(bytes(item).startswith(b"{") for item in items):
        raise InvalidRequestError(f"`{path}` must be a string or a list of objects.", param=path)
    return items


def look(raw: Raw) -> Item:
    """What is looked at in an item; nothing of one that cannot be read."""
    try:
        return _read_item(raw)
    except MALFORMED:
        return Item()


def joined(items: Iterable[Raw]) -> Raw:
    """Items as a list."""
    return Raw(b"[" + b",".join([bytes(item) for item in items]) + b"]")


def is_id(text: str) -> bool:
    """Whether a text can name something that is kept."""
    return 0 < len(text) <= ITEM_ID_MAX_CHARS and text.isprintable()


def id_of(raw: Raw, place: str) -> str:
    """The id of an item; if it has none, one that follows from its place.

    Args:
        raw: the item.
        place: no two items have the same, for instance the response it belongs to and its number there.
    """
    item = look(raw)
    if item.id and is_id(item.id):
        return item.id
    return f"{_PREFIXES.get(item.type or 'message', 'item')}_{sha256(place.encode()).hexdigest()[:_ID_CHARS]}"


def shown(raw: Raw, id_: str, include: Container[str]) -> dict[str, Any]:
    """An item as a list shows it.

    Args:
        raw: as it came.
        id_: its id.
        include: names of what is only shown if it is asked for.
    """
    fields: dict[str, Any] = dict(decode_object(raw))
    kind = look(raw).type or "message"
    made: dict[str, Any] = {"id": id_, "type": kind}
    if kind == "message":
        content, role = fields.get("content", Raw(b"null")), look(raw).role
        if bytes(content).startswith(b'"'):
            fields["content"] = [{"type": "output_text" if role == "assistant" else "input_text", "text": content}]
            if role == "assistant":
                fields["content"][0]["annotations"] = []
        made["status"] = "completed"
    elif kind in _CALLS or kind in _RESULTS:
        made["status"] = "completed"
    if _ENCRYPTED not in include and kind == "reasoning":
        fields.pop("encrypted_content", None)
    if _LOGPROBS not in include and kind == "message" and b'"logprobs"' in bytes(raw):
        fields["content"] = _without_logprobs(fields["content"])
    given = {name: value for name, value in fields.items() if name != "id" and value is not None}
    return made | given | {"id": id_}


def _without_logprobs(content: Any) -> Any:
    parts = _read_any(content) if isinstance(content, Raw) else content
    if isinstance(parts, list):
        for part in parts:
            if isinstance(part, dict):
                part.pop("logprobs", None)
    return parts


def referred(items: Sequence[Raw]) -> dict[int, str]:
    """Position → id, of the items that only refer to others."""
    found = {}
    for position, raw in enumerate(items):
        if b"item_reference" in bytes(raw) or len(bytes(raw)) <= ITEM_ID_MAX_CHARS:
            item = look(raw)
            if item.id and (item.type == "item_reference" or (not item.type and not item.role)):
                found[position] = item.id
    return found


def unit_end(items: Sequence[Raw], start: int) -> int:
    """Where the items from `start` on end that go together: a call goes with its result, and the thoughts before it."""
    open_calls: set[str] = set()
    for position in range(start, len(items)):
        item = look(items[position])
        if item.type in _CALLS and item.call_id:
            open_calls.add(item.call_id)
        elif item.type in _RESULTS and item.call_id:
            open_calls.discard(item.call_id)
        if open_calls or item.type == "reasoning":
            continue
        following = look(items[position + 1]) if position + 1 < len(items) else Item()
        if following.type in _RESULTS:
            continue
        return position + 1
    return len(items)


def is_instruction(raw: Raw) -> bool:
    """Whether an item instructs the model, and so is never dropped."""
    return look(raw).role in {"system", "developer"}
