"""One turn of a dialogue as it is kept: what a request added, and the response to it. Pure."""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.items import id_of, shown
from tollway.json_object import MALFORMED, decode_object, tolerant

_OUTLINE = frozenset(
    {"id", "object", "created_at", "completed_at", "status", "background", "model", "usage", "error"}
    | {"incomplete_details", "service_tier", "store", "previous_response_id", "conversation", "truncation"}
    | {"parallel_tool_calls", "temperature", "top_p", "top_logprobs", "max_output_tokens", "max_tool_calls"}
    | {"reasoning"}
)
"""Members that tell nothing of what was said."""
_EMPTY: dict[str, Raw] = {
    "instructions": Raw(b"null"),
    "output": Raw(b"[]"),
    "tools": Raw(b"[]"),
    "tool_choice": Raw(b'"auto"'),
    "text": Raw(b'{"format":{"type":"text"}}'),
    "metadata": Raw(b"{}"),
}
_encode = msgspec.json.Encoder().encode
_read_list = tolerant(msgspec.json.Decoder(list[Raw]).decode)


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """What one request added to its dialogue.

    Attributes:
        input: the items it came with, without those of earlier turns.
        response: the whole response object.
    """

    input: list[Raw]
    response: Raw


class _Head(msgspec.Struct):
    id: str = ""
    status: str = ""


_read_head = tolerant(msgspec.json.Decoder(_Head).decode)
_read_turn = tolerant(msgspec.json.Decoder(Turn).decode)


def packed(turn: Turn) -> bytes:
    """The turn as bytes."""
    return _encode(turn)


def unpacked(data: bytes) -> Turn:
    """The turn out of bytes that `packed` made."""
    return _read_turn(data)


def head_of(response: bytes | Raw) -> tuple[str, str]:
    """Id and status of a response; empty where it has none."""
    try:
        head = _read_head(response)
    except MALFORMED:
        return "", ""
    return head.id, head.status


def output_of(response: bytes | Raw) -> list[Raw]:
    """The items of a response's output."""
    try:
        items = _read_list(decode_object(response).get("output", Raw(b"[]")))
    except MALFORMED:
        return []
    return [item for item in items if bytes(item).startswith(b"{")]


def outline_of(response: bytes | Raw) -> bytes:
    """The response without what was said: its id, times, state and usage."""
    try:
        fields = decode_object(response)
    except MALFORMED:
        return b"{}"
    kept = {name: value for name, value in fields.items() if name in _OUTLINE}
    return _encode(kept | {name: _EMPTY[name] for name in fields if name in _EMPTY})


def with_state(response: bytes | Raw, *, status: str, fault: str | None) -> bytes:
    """The response in another state than it was stored in."""
    fields: dict[str, Any] = dict(decode_object(response))
    fields["status"] = status
    if fault is not None:
        fields["error"] = {"code": "server_error", "message": fault}
    return _encode(fields)


def place_of(response_id: str, number: int) -> str:
    """The place of an input item, from which its id follows if it has none."""
    return f"{response_id}:{number}"


def item_ids_of(response_id: str, turn: Turn) -> tuple[str, ...]:
    """The ids of all items of a turn."""
    asked = [id_of(item, place_of(response_id, number)) for number, item in enumerate(turn.input)]
    return (*asked, *(id_of(item, f"{response_id}:output:{n}") for n, item in enumerate(output_of(turn.response))))


def items_by_id(response_id: str, turn: Turn) -> dict[str, Raw]:
    """The items of a turn by their ids."""
    items = (*turn.input, *output_of(turn.response))
    return dict(zip(item_ids_of(response_id, turn), items, strict=True))


def shown_response(response: bytes, include: frozenset[str]) -> bytes:
    """A stored response as it is shown: what is only told if it is asked for is left out."""
    fields: dict[str, Any] = dict(decode_object(response))
    output = [item if b'"' not in bytes(item) else _shown(item, include) for item in output_of(response)]
    if output:
        fields["output"] = output
    return _encode(fields)


def _shown(item: Raw, include: frozenset[str]) -> Any:
    if b'"encrypted_content"' in bytes(item):
        return shown(item, id_of(item, ""), include)
    return item
