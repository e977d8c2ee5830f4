"""What a request needs of a model, read off its bytes: a hint for choosing, never a reason to refuse. Pure."""

import hashlib
import re

import msgspec

from tollway.constants import BYTES_PER_TOKEN
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
_IDENTITIES = ("prompt_cache_key", "conversation", "previous_response_id")
_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode


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
    """What tells apart who keeps to one target; empty if nothing is to.

    A conversation is known by what the caller names it (``prompt_cache_key``), else by its first two messages: the part
    of the prompt that the provider's cache holds, and that every turn of it repeats.
    """
    if sticky is Sticky.NONE:
        return ""
    if sticky is Sticky.KEY or (sticky is Sticky.USER and not call.user_tag):
        return key_id
    if sticky is Sticky.USER:
        return f"{project_id} {call.user_tag}"
    told = next((bytes(call.fields[name]) for name in _IDENTITIES if _asks(call.fields.get(name))), b"")
    return hashlib.blake2b(told or _beginning(call), digest_size=16, key=project_id.encode()[:64]).hexdigest()


def _beginning(call: Call) -> bytes:
    parts = [bytes(call.fields[name]) for name in ("system", "instructions") if name in call.fields]
    for name in _MESSAGES:
        if name in call.fields:
            try:
                parts += [bytes(message) for message in _messages(call.fields[name])[:2]]
            except msgspec.DecodeError:  # a text, or what the provider will refuse
                parts.append(bytes(call.fields[name]))
    return b"\n".join(parts)


def _asks(value: msgspec.Raw | None) -> bool:
    return value is not None and bytes(value) not in _NOTHING
