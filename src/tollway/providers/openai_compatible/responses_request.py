"""A request of the Responses API towards a provider that has it too: all but what is Tollway's state."""

import re

import msgspec

from tollway.json_object import MALFORMED, tolerant
from tollway.routing.call import Call

OUTPUT_LIMIT = "max_output_tokens"
_encode = msgspec.json.Encoder().encode
_decode_items = tolerant(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_OURS = ("background", "conversation", "previous_response_id")
_FALSE = msgspec.Raw(b"false")
_ENCRYPTED = "reasoning.encrypted_content"
_REASONS = re.compile(r"(?:^|/)(?:openai\.)?(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*chat)|codex|grok-[4-9])")
"""Names of models that give their reasoning in encrypted form; others refuse to be asked for it."""
_OUR_MARK = b'"tollway.1.'
"""Begins ``encrypted_content`` of another provider's thoughts, which this one could not read."""


class _Item(msgspec.Struct):
    type: str = ""
    encrypted_content: msgspec.Raw = msgspec.Raw(b"null")


_decode_item = tolerant(msgspec.json.Decoder(_Item).decode)
_decode_names = msgspec.json.Decoder(list[str] | None).decode


def build_body(call: Call, *, model: str, limit: int = 0) -> bytes:
    """The body to send.

    Tollway keeps the state, so the provider is asked to keep none; its encrypted reasoning comes back with the answer,
    and goes to it again with the next request.

    Args:
        call: the parsed request; what went before is in its ``input`` already.
        model: the name of the model at the provider.
        limit: the bound of the output to set; 0 to leave it as it is.
    """
    fields = {name: value for name, value in call.fields.items() if name not in _OURS}
    fields["model"] = msgspec.Raw(_encode(model))
    fields["store"] = _FALSE
    if _REASONS.search(model):
        fields["include"] = _with_encrypted(fields.get("include"))
    if "input" in fields:
        fields["input"] = _readable(fields["input"], past=call.recalled.items if call.recalled is not None else 0)
    if limit:
        fields[OUTPUT_LIMIT] = msgspec.Raw(_encode(limit))
    return _encode(fields)


def _with_encrypted(given: msgspec.Raw | None) -> msgspec.Raw:
    """What the answer is to hold, encrypted reasoning too; as it is if it is no list of names."""
    try:
        names = (_decode_names(given) or []) if given is not None else []
    except msgspec.DecodeError:
        return given if given is not None else msgspec.Raw(b"[]")
    return msgspec.Raw(_encode(names if _ENCRYPTED in names else [*names, _ENCRYPTED]))


def _readable(raw: msgspec.Raw, *, past: int) -> msgspec.Raw:
    """The input without thoughts that the provider could not read.

    Those are another provider's, whoever sends them; and of earlier requests those without an encrypted form, as the
    provider does not keep them.
    """
    text = bytes(raw)
    if b'"reasoning"' not in text or not (past or _OUR_MARK in text):
        return raw
    try:
        items = _decode_items(raw)
        kept = [item for index, item in enumerate(items) if not _is_unreadable(item, past=index < past)]
    except MALFORMED:
        return raw
    return raw if len(kept) == len(items) else msgspec.Raw(_encode(kept))


def _is_unreadable(raw: msgspec.Raw, *, past: bool) -> bool:
    if b'"reasoning"' not in bytes(raw):
        return False
    item = _decode_item(raw)
    if item.type != "reasoning":
        return False
    encrypted = bytes(item.encrypted_content)
    return encrypted.startswith(_OUR_MARK) or (past and encrypted == b"null")
