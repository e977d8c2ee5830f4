"""Messages and their parts.

What a part cannot say is not translated: a dialect that finds more in a request reports it as a loss
(`tollway.chat.losses`), it never leaves it out in silence.
"""

from typing import Literal

import msgspec
from msgspec import Raw

Role = Literal["system", "developer", "user", "assistant", "tool"]
INSTRUCTING = frozenset({"system", "developer"})
"""Roles that instruct the model."""


class Media(msgspec.Struct, frozen=True, tag=False, gc=False):
    """Where the bytes of an image, a sound or a file are.

    Attributes:
        kind: how `value` is to be read.
        value: the address, the bytes in base64, the provider's own id of an uploaded file, or plain text.
        mime: media type, for instance ``image/png``; empty if not said.
    """

    kind: Literal["url", "base64", "file_id", "text"]
    value: str
    mime: str = ""


class Citation(msgspec.Struct, frozen=True, gc=False):
    """A place that a passage of an answer relies on.

    Attributes:
        kind: ``url``, ``document`` (characters, pages or blocks of a document of the request) or ``search_result``.
        text: the words that are cited, empty if not said.
        title: of the source.
        url: of the source, empty if it is a document of the request.
        document: index of the document in the request, ``None`` if it is none of them.
        unit: what `start` and `end` count: ``char``, ``page`` or ``block`` of the document; ``answer`` for characters
            of the answer itself.
        start, end: the range, end excluded; ``None`` if not said.
        extra: what only the dialect it came from can say, by name (for instance ``encrypted_index``).
    """

    kind: Literal["url", "document", "search_result"]
    text: str = ""
    title: str = ""
    url: str = ""
    document: int | None = None
    unit: Literal["", "char", "page", "block", "answer"] = ""
    start: int | None = None
    end: int | None = None
    extra: dict[str, Raw] = {}


class _Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """Attributes: cache: how long a provider should cache the prompt up to here: empty, ``5m`` or ``1h``."""

    cache: Literal["", "5m", "1h"] = ""


class TextPart(_Part, frozen=True, tag="text", kw_only=True):
    """Text. Attributes: citations: the sources of it, in an answer."""

    text: str
    citations: tuple[Citation, ...] = ()


class RefusalPart(_Part, frozen=True, tag="refusal", kw_only=True):
    """The model's words for not answering."""

    text: str


class ImagePart(_Part, frozen=True, tag="image", kw_only=True):
    """An image. Attributes: detail: ``low``, ``high``, ``auto`` …, empty if not said."""

    media: Media
    detail: str = ""


class AudioPart(_Part, frozen=True, tag="audio", kw_only=True):
    """Sound. Attributes: format: ``wav``, ``mp3`` …; transcript, id, expires_at_s: of a spoken answer."""

    media: Media
    format: str = ""
    transcript: str = ""
    id: str = ""
    expires_at_s: int | None = None


class FilePart(_Part, frozen=True, tag="file", kw_only=True):
    """A document. Attributes: name: of the file; title, context: for the model; cites: whether to cite from it."""

    media: Media
    name: str = ""
    title: str = ""
    context: str = ""
    cites: bool = False


class ThinkingPart(_Part, frozen=True, tag="thinking", kw_only=True):
    """What a model thought before it answered. It goes back to the model as it came, or the provider refuses it.

    Attributes:
        text: the thoughts, or a summary of them; may be empty.
        signature: proves to the provider that they are its own.
        redacted: thoughts that only the provider can read.
        source: the wire format it came from: a signature means nothing to any other.
        id: the provider's own id of it, empty if none.
    """

    text: str = ""
    signature: str = ""
    redacted: str = ""
    source: str = ""
    id: str = ""


class ToolCallPart(_Part, frozen=True, tag="tool_call", kw_only=True):
    """A tool the model wants called.

    Attributes:
        id: by which the result refers to it.
        name: of the tool.
        arguments: JSON text, exactly as the model wrote it; free text for a custom tool.
        custom: whether the tool takes free text.
        signature: of the thoughts that led to it (some providers sign calls), with the wire format in `source`.
        caller: the program of the provider's that wants it called, in Anthropic's form as it came; ``None`` if the
            model itself does.
    """

    id: str
    name: str
    arguments: str = ""
    custom: bool = False
    signature: str = ""
    source: str = ""
    caller: Raw | None = None


class ToolResultPart(_Part, frozen=True, tag="tool_result", kw_only=True):
    """What a tool returned. Attributes: parts: text, images or files; failed: whether it is an error."""

    call_id: str
    parts: "tuple[Part, ...]" = ()
    failed: bool = False
    custom: bool = False


class OpaquePart(_Part, frozen=True, tag="opaque", kw_only=True):
    """What only one wire format knows, for instance a search the provider made itself: JSON as it came."""

    source: str
    kind: str
    raw: Raw


Part = (
    TextPart
    | RefusalPart
    | ImagePart
    | AudioPart
    | FilePart
    | ThinkingPart
    | ToolCallPart
    | ToolResultPart
    | OpaquePart
)


class Message(msgspec.Struct, frozen=True, gc=False):
    """One turn. Attributes: role: who speaks; ``tool`` holds tool results only. name: of the speaker, empty if none."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
