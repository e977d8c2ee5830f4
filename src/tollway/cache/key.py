"""What makes two requests the same: the fields that decide the answer, whatever their order and spelling. Pure."""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from tollway.routing.call import Call
from tollway.routing.json_object import tolerant

_WITHOUT_EFFECT = frozenset(
    {"user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention", "store", "model"}
)
"""Fields that name the caller or label the request; the model is told apart by its own part of the key."""
_decode = tolerant(msgspec.json.Decoder().decode)
_encode = msgspec.json.Encoder(order="sorted").encode


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
        said = {name: _decode(value) for name, value in fields.items() if name not in _WITHOUT_EFFECT}
        text = _encode([project_id, path, call.model, route, call.headers, said])
    except (msgspec.DecodeError, msgspec.EncodeError, UnicodeError, RecursionError):
        return None
    return sha256(text).digest()
