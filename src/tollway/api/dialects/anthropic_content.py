"""The messages of a request to Anthropic's Messages API, in the internal form.

Source: https://platform.claude.com/docs/en/api/messages (``messages`` and ``system``). Blocks that only this format
knows stay as they came: search results, what the provider's own tools said, documents made of blocks to be cited.
Rules: results of tools are messages of their own; a document of texts that are not to be cited is one text.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Raw
from msgspec.structs import replace

from tollway.api.dialects.members import Members, is_text, list_of, text_of, wrong
from tollway.chat.losses import Losses
from tollway.chat.message import (
    Citation,
    FilePart,
    ImagePart,
    Media,
    Message,
    OpaquePart,
    Part,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.json_object import MALFORMED, decode_object
from tollway.providers.anthropic.blocks import NULL, caller_of
from tollway.providers.anthropic.citations import read_citation
from tollway.providers.anthropic.names import SOURCE
from tollway.providers.anthropic.signatures import Sealed, call_of, hidden_thoughts, thoughts

Cache = Literal["", "5m", "1h"]

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_SOURCES: dict[str, tuple[Literal["url", "base64", "file_id", "text"], str]] = {
    "base64": ("base64", "data"),
    "url": ("url", "url"),
    "file": ("file_id", "file_id"),
    "text": ("text", "data"),
}
"""Type of a source → kind of medium, and the member its value stands in."""


def read_messages(raws: list[Raw], losses: Losses) -> Iterator[Message]:
    """The messages, results of tools apart.

    Raises:
        InvalidRequestError: a value is not what the API says.
        UnsupportedFieldError: see `Losses`.
    """
    for index, raw in enumerate(raws):
        path = f"messages.{index}"
        message = Members.of(raw, path)
        role = _ROLES.get(message.text("role"))
        if role is None:
            raise wrong(f"{path}.role", "`user` or `assistant`")
        content = message.raw("content")
        if content is None:
            raise wrong(f"{path}.content", "a string or a list")
        message.lose_rest(losses)
        parts = read_content(content, f"{path}.content", losses)
        yield from _by_role(role, parts) if role == "user" else [Message(role, _signed(parts))]


def read_content(raw: Raw, path: str, losses: Losses) -> list[Part]:
    """A content: a text, or a list of blocks.

    Raises:
        InvalidRequestError, UnsupportedFieldError: as `read_messages`.
    """
    if is_text(raw):
        return [TextPart(text=text_of(raw, path))]
    return [_block(each, f"{path}.{index}", losses) for index, each in enumerate(list_of(raw, path))]


def cache_of(members: Members) -> Cache:
    """How long to cache up to here, by the member ``cache_control``."""
    control = members.members("cache_control")
    if control is None:
        return ""
    return "1h" if control.text("ttl") == "1h" else "5m"


def _by_role(role: Role, parts: list[Part]) -> Iterator[Message]:
    """A user's blocks as messages: results of tools are a tool's."""
    run: list[Part] = []
    for part in parts:
        if run and isinstance(part, ToolResultPart) != isinstance(run[0], ToolResultPart):
            yield _message(role, run)
            run = []
        run.append(part)
    yield _message(role, run)


def _message(role: Role, parts: list[Part]) -> Message:
    return Message("tool" if parts and isinstance(parts[0], ToolResultPart) else role, tuple(parts))


def _signed(parts: list[Part]) -> tuple[Part, ...]:
    """The parts with the signatures of calls back in their places."""
    found: dict[str, Sealed] = {}
    others: list[Part] = []
    for part in parts:
        sealed = call_of(Sealed(part.source, part.id, part.redacted)) if isinstance(part, ThinkingPart) else None
        if sealed is None:
            others.append(part)
        else:
            found[sealed.id] = sealed
    if not found:
        return tuple(others)
    return tuple(
        replace(part, signature=found[part.id].value, source=found[part.id].source)
        if isinstance(part, ToolCallPart) and part.id in found
        else part
        for part in others
    )


def _block(raw: Raw, path: str, losses: Losses) -> Part:
    members = Members.of(raw, path)
    kind = members.required_text("type")
    read = _READERS.get(kind)
    part = read(members, raw, losses) if read is not None else None
    if part is None:
        return OpaquePart(source=SOURCE, kind=kind, raw=Raw(bytes(raw)))
    cache = cache_of(members)
    members.lose_rest(losses)
    return replace(part, cache=cache) if cache else part


def _text(members: Members, _: Raw, losses: Losses) -> Part:
    path = members.at("citations")
    found: list[Citation] = []
    for index, raw in enumerate(members.list("citations")):
        citation = read_citation(raw)
        if citation is None:
            losses.lose(f"{path}.{index}")
        else:
            found.append(citation)
    return TextPart(text=members.text("text"), citations=tuple(found))


def _thinking(members: Members, _: Raw, __: Losses) -> Part:
    return thoughts(members.text("thinking"), members.text("signature"))


def _redacted(members: Members, _: Raw, __: Losses) -> Part:
    return hidden_thoughts(members.text("data"))


def _tool_use(members: Members, _: Raw, __: Losses) -> Part:
    caller = caller_of(members.raw("caller") or NULL)
    given = members.raw("input")
    if given is not None:
        Members.of(given, members.at("input"))
    arguments = bytes(given).decode() if given is not None else "{}"
    return ToolCallPart(
        id=members.required_text("id"), name=members.required_text("name"), arguments=arguments, caller=caller
    )


def _tool_result(members: Members, _: Raw, losses: Losses) -> Part:
    content = members.raw("content")
    parts = read_content(content, members.at("content"), losses) if content is not None else []
    return ToolResultPart(
        call_id=members.required_text("tool_use_id"), parts=tuple(parts), failed=bool(members.flag("is_error"))
    )


def _image(members: Members, _: Raw, __: Losses) -> Part:
    media = _media(members)
    if media is None or media.kind == "text":
        raise wrong(members.at("source"), "a source of the type `base64`, `url` or `file`")
    return ImagePart(media=media)


def _document(members: Members, _: Raw, __: Losses) -> Part | None:
    media = _media(members)
    citations = members.members("citations")
    cites = citations is not None and bool(citations.flag("enabled"))
    if media is None or (cites and media.mime == _JOINED):
        return None
    if media.mime == _JOINED:
        media = Media("text", media.value, "text/plain")
    return FilePart(media=media, title=members.text("title"), context=members.text("context"), cites=cites)


_JOINED = "joined"
"""In place of the media type of a document that was given in blocks."""


def _media(members: Members) -> Media | None:
    """The source of an image or a document; ``None`` if it is one that only this format knows."""
    source = members.members("source")
    if source is None:
        raise wrong(members.at("source"), "an object")
    kind = source.text("type")
    if kind == "content":
        text = _joined(source.raw("content"))
        return None if text is None else Media("text", text, _JOINED)
    if kind not in _SOURCES:
        return None
    media_kind, name = _SOURCES[kind]
    return Media(media_kind, source.required_text(name), source.text("media_type"))


def _joined(content: Raw | None) -> str | None:
    """The texts of a document that is given in blocks; ``None`` if there is more than text in it."""
    if content is None:
        return None
    if is_text(content):
        return text_of(content, "source.content")
    texts = []
    for raw in list_of(content, "source.content"):
        try:
            fields = decode_object(raw)
        except MALFORMED:
            return None
        if bytes(fields.get("type", b"")) != b'"text"' or fields.keys() - {"type", "text"}:
            return None
        texts.append(text_of(fields.get("text", Raw(b'""')), "source.content"))
    return "\n".join(texts)


_READERS: dict[str, Callable[[Members, Raw, Losses], Part | None]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "image": _image,
    "document": _document,
}
