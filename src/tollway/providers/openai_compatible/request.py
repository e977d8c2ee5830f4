"""The request towards a provider that speaks the caller's dialect: the caller's own values, two changed at most."""

import msgspec

from tollway.routing.call import Call

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_INCLUDE_USAGE = msgspec.Raw(b'{"include_usage":true}')
_TRUE = msgspec.Raw(b"true")


def build_body(call: Call, *, model: str, ask_for_usage: bool) -> bytes:
    """The body to send: order and text of all values stay, unknown fields included.

    Args:
        call: the parsed request.
        model: the name of the model at the provider.
        ask_for_usage: whether to set ``stream_options.include_usage``.
    """
    if model == call.model and not ask_for_usage:
        return call.body
    fields = call.fields.copy()
    fields["model"] = msgspec.Raw(_encode(model))
    if ask_for_usage:
        given = fields.get("stream_options")
        if given is None or not bytes(given).startswith(b"{"):
            fields["stream_options"] = _INCLUDE_USAGE
        else:
            options = _decode_object(given)
            options["include_usage"] = _TRUE
            fields["stream_options"] = msgspec.Raw(_encode(options))
    return _encode(fields)
