"""What makes two requests the same: the fields that decide the answer, whatever their order and spelling. Pure."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from tollway.routing.call import Call

_WITHOUT_EFFECT = frozenset(
    {"user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention", "store", "model"}
)
"""Fields that name the caller or label the request; the model is told apart by its own part of the key."""
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode
_encode_in_order = msgspec.json.Encoder().encode


def cache_key(call: Call, *, project_id: str, path: str, route: str) -> bytes | None:
    """The key of a request, or ``None`` if its body cannot be compared.

    Args:
        call: the request.
        project_id: whose it is: no two projects ever share an answer.
        path: of the surface.
        route: what the model that was asked stands for at present.
    """
    fields: Mapping[str, msgspec.Raw] = call.fields
    try:
        said = {name: _only(value) for name, value in fields.items() if name not in _WITHOUT_EFFECT}
        text = _encode([project_id, path, call.model, route, call.headers, said])
    except (msgspec.DecodeError, msgspec.EncodeError, ValueError, RecursionError):
        return None
    return sha256(text).digest()


def _only(raw: msgspec.Raw) -> Any:
    """What every provider reads in a value.

    Raises:
        msgspec.DecodeError, ValueError, RecursionError: they may differ: a name is there twice, or half a character.
    """
    value = _decode(raw)
    if _encode_in_order(value) != bytes(raw):  # not as most SDKs write it; that hides nothing
        json.loads(bytes(raw), object_pairs_hook=_require_once, parse_int=str)
    return value


def _require_once(members: list[tuple[str, None]]) -> None:
    if len(dict(members)) != len(members):
        raise ValueError
