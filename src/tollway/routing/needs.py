"""What a request needs of a model, read off its bytes: a hint for choosing, never a reason to refuse. Pure."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tollway.constants import BYTES_PER_TOKEN
from tollway.json_object import MALFORMED, tolerant
from tollway.routing.call import Call
from tollway.routing.route import Capability, Sticky

_PACKED_MIN_BYTES = 65_536
"""Smaller bodies are not searched for images and the like when their tokens are estimated."""
_PACKED = re.compile(rb"[A-Za-z0-9+/_=-]{512,}")
_NOTHING = frozenset({b"null", b"false", b"[]", b"{}", b'"none"'})
_FIELDS = (
    (Capability.TOOLS, ("tools", "functions")),
    (Capability.PARALLEL_TOOLS, ("parallel_tool_calls",)),
    (Capability.REASONING, ("reasoning_effort", "reasoning", "thinking")),
)
_STRUCTURED = (b'"json_schema"', b'"json_object"')
_STRUCTURED_FIELDS = ("response_format", "text", "output_config", "output_format")
_PARTS = (
    (Capability.IMAGES, re.compile(rb'"(?:image_url|input_image|image)"')),
    (Capability.AUDIO, re.compile(rb'"(?:input_audio|audio)"')),
    (Capability.FILES, re.compile(rb'"(?:file|input_file|document)"')),
)
_MESSAGES = ("messages", "input", "prompt")
_LEADING_MAX = 8
"""Messages that are looked at for the first words of the user."""
_BESIDE_WORDS = frozenset({"role", "type", "id", "status", "cache_control"})
"""Members of messages that are no words, and that the same message has in one turn and not in another."""


class _Message(msgspec.Struct):
    role: str = ""


_messages = tolerant(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_role = tolerant(msgspec.json.Decoder(_Message).decode)
_decode = tolerant(msgspec.json.Decoder().decode)


def needs_of(call: Call) -> frozenset[Capability]:
    """What the request asks for, as far as its fields and the kinds of its parts tell."""
    fields = call.fields
    needs = {need for need, names in _FIELDS if any(_asks(fields.get(name)) for name in names)}
    if call.stream:
        needs.add(Capability.STREAMING)
    told = b"".join(bytes(fields[name]) for name in _STRUCTURED_FIELDS if name in fields)
    if any(word in told for word in _STRUCTURED):
        needs.add(Capability.STRUCTURED)
    given = [bytes(fields[name]) for name in _MESSAGES if name in fields]
    needs |= {need for need, pattern in _PARTS if any(pattern.search(part) for part in given)}
    return frozenset(needs)


def prompt_tokens(call: Call) -> int:
    """About how many tokens go in; what is packed into text (images, audio) does not count."""
    size = call.text_bytes
    if size > _PACKED_MIN_BYTES and call.form is None:
        size -= sum(len(packed) for packed in _PACKED.findall(call.body))
    return size // BYTES_PER_TOKEN


def sticky_key(call: Call, sticky: Sticky, *, project_id: str, key_id: str) -> str:
    """What tells apart who keeps to one target; empty if nothing is to. Args: see `sticky_name`."""
    told = conversation_of(call) if sticky is Sticky.CONVERSATION else ""
    return sticky_name(sticky, project_id=project_id, key_id=key_id, user_tag=call.user_tag, conversation=told)


def sticky_name(sticky: Sticky, *, project_id: str, key_id: str, user_tag: str, conversation: str) -> str:
    """What tells apart who keeps to one target; empty if nothing is to.

    Args:
        sticky: what keeps to one.
        project_id: of the caller.
        key_id: of the caller.
        user_tag: the end user, empty if none is named.
        conversation: what tells it from the others.
    """
    if sticky is Sticky.NONE:
        return ""
    if sticky is Sticky.KEY or (sticky is Sticky.USER and not user_tag):
        return key_id
    if sticky is Sticky.USER:
        return f"{project_id} {user_tag}"
    told = conversation.encode(errors="replace")
    return hashlib.blake2b(told, digest_size=16, key=project_id.encode()[:64]).hexdigest()


def conversation_of(call: Call) -> str:
    """What tells a conversation from others.

    That is what the caller names it (`prompt_cache_key`, else the one that Tollway keeps), else the words that each of
    its turns begins with, and that the provider's cache holds: what comes before its user's first words, and these. How
    they are written does not matter: the marks of what is to be cached move on with each turn.
    """
    name = call.fields.get("prompt_cache_key")
    if _asks(name):
        return " ".join(_words(name))
    kept = call.recalled.told.get("conversation") if call.recalled is not None else None
    if kept is not None:
        return bytes(kept).decode(errors="replace")
    fields = call.fields
    words = [word for name in ("system", "instructions") if name in fields for word in _words(fields[name])]
    words += [word for name in _MESSAGES if name in fields for word in _first_words(fields[name])]
    return "\n".join(words)


def _first_words(raw: msgspec.Raw) -> list[str]:
    """Those up to the first ones of the user."""
    try:
        messages = _messages(raw)[:_LEADING_MAX]
    except MALFORMED:  # a text, or what the provider will refuse
        return _words(raw)
    words: list[str] = []
    for message in messages:
        words += _words(message)
        if bytes(message).startswith(b'"') or _is_of_user(message):
            break
    return words


def _is_of_user(message: msgspec.Raw) -> bool:
    try:
        return _decode_role(message).role == "user"
    except MALFORMED:
        return False


def _words(raw: msgspec.Raw | None) -> list[str]:
    """All texts in a value, in their order."""
    try:
        return list(_texts(_decode(raw or b"null")))
    except MALFORMED:
        return [bytes(raw or b"").decode(errors="replace")]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [member for name, member in value.items() if name not in _BESIDE_WORDS]
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)


def _asks(value: msgspec.Raw | None) -> bool:
    return value is not None and bytes(value) not in _NOTHING
