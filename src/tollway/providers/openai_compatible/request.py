"""The request towards a provider that speaks the caller's dialect: the caller's own values, three changed at most."""

from collections.abc import Sequence

import msgspec

from tollway.json_object import decode_object
from tollway.providers.openai_compatible.bound import OUTPUT_LIMITS
from tollway.routing.call import Call

_encode = msgspec.json.Encoder().encode
_INCLUDE_USAGE = msgspec.Raw(b'{"include_usage":true}')
_TRUE = msgspec.Raw(b"true")


def build_body(call: Call, *, model: str, ask_for_usage: bool, limits: Sequence[str] = (), limit: int = 0) -> bytes:
    """The body to send: order and text of all values stay, unknown fields included.

    Args:
        call: the parsed request.
        model: the name of the model at the provider.
        ask_for_usage: whether to set ``stream_options.include_usage``.
        limits: the fields by which the provider bounds its output.
        limit: the bound to set in them; 0 to leave them as they are.
    """
    if model == call.model and not ask_for_usage and not limit:
        return call.body
    fields = call.fields.copy()
    fields["model"] = msgspec.Raw(_encode(model))
    if ask_for_usage:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    if limit:
        _bound_output(fields, limits, limit)
    return _encode(fields)


def _with_usage(given: msgspec.Raw | None) -> msgspec.Raw:
    """The stream options with usage asked for; as they are if they cannot be taken apart soundly."""
    if given is None or not bytes(given).startswith(b"{"):
        return _INCLUDE_USAGE
    try:
        options = decode_object(given)
    except msgspec.DecodeError:  # half a surrogate pair in a name
        return given
    options["include_usage"] = _TRUE
    return msgspec.Raw(_encode(options))


def _bound_output(fields: dict[str, msgspec.Raw], limits: Sequence[str], limit: int) -> None:
    """Write the bound into every field that claims one, and into the provider's own if none of its own is there."""
    value = msgspec.Raw(_encode(limit))
    for name in OUTPUT_LIMITS:
        if name in fields:
            fields[name] = value
    if not any(name in fields for name in limits):
        fields[limits[0]] = value
