"""What a provider tells beside its answer, where the caller's dialect has no form for it. Pure.

The caller gets it as ``provider_specific_fields``: an object of lists, under the provider's own names, as it came.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.message import AudioPart, Citation, FilePart, ImagePart, Media, OpaquePart, Part, ToolCallPart
from tollway.json_object import MALFORMED, decode_object, tolerant

MEMBER = "provider_specific_fields"
"""Name of the member; the one that callers know from other gateways."""
_PASSAGE = ("text", "title", "url", "document", "unit", "start", "end")

_read_list = tolerant(msgspec.json.Decoder(list[Raw]).decode)
_encode = msgspec.json.Encoder().encode


class Gathered:
    """What is told beside one answer. Attributes: told: name → all values of it; a list counts as its elements."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: dict[str, list[Raw]] = {}

    def note(self, name: str, raw: Raw) -> None:
        """Take in what is told under a name."""
        self.told.setdefault(name, []).extend(values_of(raw))

    def rest(self, told: Mapping[str, Sequence[Raw]], safety: Raw | None = None) -> None:
        """Take in what was told besides. Args: safety: ratings, where the dialect has no place for them."""
        for name, values in told.items():
            self.told.setdefault(name, []).extend(values)
        if safety is not None:
            self.note("safety", safety)

    def part(self, part: Part) -> None:
        """Take in a part that the dialect has no form for, or not for all of it."""
        if isinstance(part, OpaquePart):
            self.note(part.kind, part.raw)
        elif isinstance(part, AudioPart):
            self._medium("audio", part.media, id=part.id, format=part.format, transcript=part.transcript)
        elif isinstance(part, ImagePart):
            self._medium("images", part.media)
        elif isinstance(part, FilePart):
            self._medium("files", part.media, filename=part.name)
        elif isinstance(part, ToolCallPart) and part.caller is not None:
            self.note("callers", Raw(_encode({"id": part.id, "caller": part.caller})))

    def citation(self, citation: Citation) -> None:
        """Take in a source that the dialect has no form for, or not for all of it."""
        self.note("citations", Raw(_encode(passage(citation))))

    def _medium(self, name: str, media: Media, **more: str) -> None:
        told = {"mime_type": media.mime, **more}
        self.note(name, Raw(_encode({media.kind: media.value} | {key: text for key, text in told.items() if text})))


def values_of(raw: Raw) -> list[Raw]:
    """The elements of a list; anything else is one."""
    if not bytes(raw).lstrip().startswith(b"["):
        return [raw]
    try:
        return _read_list(raw)
    except MALFORMED:
        return [raw]


def read_beside(raw: Raw) -> dict[str, list[Raw]]:
    """What another gateway told in such a member; nothing if it is none."""
    try:
        return {name: values_of(value) for name, value in decode_object(raw).items()} if bytes(raw) != b"null" else {}
    except MALFORMED:
        return {}


def joined(values: Sequence[Raw]) -> Raw:
    """The list of which these are the elements."""
    return Raw(b"[" + b",".join(map(bytes, values)) + b"]")


def passage(citation: Citation) -> dict[str, Any]:
    """A source with all that is known of it."""
    told = {name: value for name in _PASSAGE if (value := getattr(citation, name)) not in {"", None}}
    return {"type": citation.kind, **told, **citation.extra}
