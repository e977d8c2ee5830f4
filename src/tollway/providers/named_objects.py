r"""What of a request names an object that lies at its provider: a file, a container, a store of vectors. Pure.

Such objects lie there under the operator's one credential, and a provider knows nothing of projects: whoever names one
gets to see it. So all of them are found before a request is sent, wherever in it they stand: members are known by their
names, whatever they stand in, as servers of a dialect differ in where they read them. Most requests name nothing, which
a search of their bytes tells.

Not looked at is what no provider reads an object by: descriptions of functions, arguments of calls, ``metadata``, and
what an earlier answer cited. A body that could be read in two ways, because a member is there twice, is refused.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from tollway.chat.message import AudioPart, FilePart, ImagePart
from tollway.chat.request import ChatRequest
from tollway.errors import InvalidRequestError
from tollway.json_object import MALFORMED, tolerant
from tollway.providers.chat_bound import parts_of
from tollway.routing.call import Call, Named

FILE = "file"
NAMED_MAX = 1_000
"""Objects that one request may name, or one file of requests."""
_DEPTH_MAX = 32
_PARAM_MAX_CHARS = 200
_WITH_ITEMS = frozenset({"responses", "compact"})
"""Surfaces whose ``input`` may refer to what the provider keeps of a dialogue."""
_FILE_SIGN, _ESCAPE = b"file_id", b"\\u00"
_ITEM_SIGN = b"item_reference"
_TOOL_SIGNS = (b"container", b"vector_store", b"skill_id", b"collection_id", b"library_id")
_ITEM_SIGNS = (b"container_id", b"image_generation_call")
_SPOKEN, _SPOKEN_SIGN = "audio", b'"audio"'
_SIGNS = (
    _FILE_SIGN,
    _ITEM_SIGN,
    *_TOOL_SIGNS,
    b"image_generation_call",
    b"cached_content",
    b"cachedContent",
    _SPOKEN_SIGN,
)
"""One of these is in each name that is looked for below the top level."""
_KINDS = {
    **dict.fromkeys(("file_id", "file_ids"), FILE),
    **dict.fromkeys(("vector_store_id", "vector_store_ids"), "vector store"),
    **dict.fromkeys(("collection_id", "collection_ids"), "collection"),
    **dict.fromkeys(("library_id", "library_ids"), "library"),
    **dict.fromkeys(("cached_content", "cachedcontent"), "cached prompt"),
    "container_id": "container",
    "skill_id": "skill",
}
_BY_TEXT = {
    "container": "container",
    "conversation": "conversation",
    "previous_response_id": "response",
}
"""Members of the top level that are an id, or an object with one."""
_BY_OBJECT = {"prompt": "stored prompt"}
"""Those that are a text as well, which is none."""
_WHOLE = {"data_sources": "data source"}
"""Those that name things in ways of their own."""
_TOP = frozenset({*_BY_TEXT, *_WHOLE, "cached_content", "cachedContent", "extra_body", "tool_resources"})
_COUNTED = (*_SIGNS, *(f'"{name}"'.encode() for name in (*_BY_TEXT, *_BY_OBJECT, *_WHOLE)))
_UNREAD = frozenset(
    {"parameters", "input_schema", "input_examples", "schema", "json_schema", "metadata", "annotations", "citations"}
)
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
"""Types of what has an ``input`` that is made for a tool."""
_OF_THE_PROVIDER = "anthropic"
"""The type of a skill that all may use."""
_TOOL = re.compile(r"(?:^|\.)tools\.\d+$")
_MESSAGE = re.compile(r"(?:^|\.)messages\.\d+$")
_ESCAPED = re.compile(rb"\\u00(?:5[fF]|[67])")
_LETTER = re.compile(rb"(?:\\\\)+|\\u00(5[fF]|[67][0-9a-fA-F])")
"""An escaped letter or underscore; or escaped backslashes, before which none begins."""
_TEXT, _LIST, _OBJECT = b'"[{'
_WEB = frozenset({"http", "https"})
_ADDRESSES = ("gs:", "s3:", "http:", "https:")
_GOOGLES_FILES = "generativelanguage.googleapis.com"
"""Where files lie that were uploaded for Gemini; only the account that did so can read them."""

_decode_members = tolerant(msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_decode_list = tolerant(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_decode_text = tolerant(msgspec.json.Decoder(str).decode)


def may_name(call: Call) -> bool:
    """Whether a request may name an object; of most it is told by a search of their bytes that they do not."""
    fields, body = call.fields, call.body
    if call.form is not None:
        return any("file_id" in name for name in fields)
    if body.rfind(_FILE_SIGN) >= 0 or (body.rfind(_ESCAPE) >= 0 and _ESCAPED.search(body)):  # faster than `in`
        return True
    if not _TOP.isdisjoint(fields) or (
        "tools" in fields and any(sign in bytes(fields["tools"]) for sign in _TOOL_SIGNS)
    ):
        return True
    if call.surface == "chat":
        return body.rfind(_SPOKEN_SIGN) >= 0
    if call.surface not in _WITH_ITEMS:
        return False
    return (
        "prompt" in fields
        or body.rfind(_ITEM_SIGN) >= 0
        or ("tools" in fields and any(body.rfind(sign) >= 0 for sign in _ITEM_SIGNS))
    )


def named_by(call: Call) -> tuple[Named, ...]:
    """The objects that a request names.

    Raises:
        InvalidRequestError: it names more than `NAMED_MAX`, or could be read in two ways.
    """
    if call.form is not None:
        return tuple(
            Named(FILE, _decode_text(value), name[:_PARAM_MAX_CHARS])
            for name, value in call.fields.items()
            if "file_id" in name
        )
    return _bounded(_of_body(_plain(call.body), ""))


def named_by_line(line: bytes) -> tuple[Named, ...]:
    """The objects that one line of a batch's file names; its request is its ``body``.

    Raises:
        InvalidRequestError: it is no JSON object; and as `named_by`.
    """
    try:
        line.decode()
    except UnicodeDecodeError:
        raise InvalidRequestError("It is not UTF-8.") from None
    line = _plain(line)
    members = _members(line, "")
    if not any(sign in line for sign in _COUNTED):
        return ()
    found: list[Named] = []
    for name, value in members.items():
        raw = bytes(value)
        found += _of_body(raw, "body.") if name == "body" and raw[0] == _OBJECT else _of_member(name, raw, name, 1)
    return _bounded(iter(found))


def named_addresses(chat: ChatRequest) -> tuple[Named, ...]:
    """The objects in the stores of clouds that a translated request names, which are read there as the operator."""
    parts = (part for part in parts_of(chat) if isinstance(part, ImagePart | AudioPart | FilePart))
    urls = (part.media.value for part in parts if part.media.kind == "url")
    return tuple([Named("object", url, None) for url in urls if _is_read_as_operator(url)])


def _is_read_as_operator(url: str) -> bool:
    if not url.strip().lower().startswith(_ADDRESSES):
        return False
    try:
        found = urlsplit(url.strip())
    except ValueError:
        return True
    return found.scheme not in _WEB or (found.hostname or "").endswith(_GOOGLES_FILES)


def _bounded(found: Iterator[Named]) -> tuple[Named, ...]:
    named: list[Named] = []
    for each in found:
        named.append(each)
        if len(named) > NAMED_MAX:
            raise InvalidRequestError(f"The request names more than {NAMED_MAX} files.", param=each.param)
    return tuple(named)


def _plain(body: bytes) -> bytes:
    """The same JSON with letters and underscores written as such."""
    if _ESCAPE not in body:
        return body
    return _LETTER.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[0], body)


def _of_body(raw: bytes, path: str) -> Iterator[Named]:
    """The top level of a request."""
    for name, value in _members(raw, path).items():
        text, param = bytes(value), path + name
        if name in _BY_TEXT or name in _BY_OBJECT:
            yield from _of_reference(_BY_TEXT.get(name) or _BY_OBJECT[name], text, param, texts=name in _BY_TEXT)
        elif name in _WHOLE and text not in {b"null", b"[]"}:
            yield Named(_WHOLE[name], "", param)
        if name != "metadata":
            yield from _of_member(name, text, param, 1)


def _of_reference(kind: str, raw: bytes, path: str, *, texts: bool = True) -> Iterator[Named]:
    """An id, or an object with one."""
    if raw[0] == _OBJECT:
        raw, path = bytes(_members(raw, path).get("id", b"null")), f"{path}.id"
    elif not texts:
        return
    yield from _of_ids(kind, raw, path)


def _of_member(name: str, raw: bytes, path: str, depth: int) -> Iterator[Named]:
    """What a member names, and all that is in it."""
    kind = next((kind for end, kind in _KINDS.items() if name.casefold().endswith(end)), "")
    if kind:
        yield from _of_ids(kind, raw, path)
    elif raw[0] == _TEXT or not any(sign in raw for sign in _SIGNS):
        return
    if depth > _DEPTH_MAX:
        raise InvalidRequestError("The request is nested too deeply.", param=_param(path))
    if raw[0] == _OBJECT:
        yield from _of_object(raw, path, depth)
    elif raw[0] == _LIST:
        for index, value in enumerate(_decode_list(raw)):
            yield from _of_member("", bytes(value), f"{path}.{index}", depth + 1)


def _of_object(raw: bytes, path: str, depth: int) -> Iterator[Named]:
    members = _members(raw, path)
    kind = _text(members.get("type"))
    if kind == "item_reference" or (kind == "image_generation_call" and not _text(members.get("result"))):
        yield from _of_ids("item", bytes(members.get("id", b"null")), f"{path}.id")
    for name, value in members.items():
        if name in _UNREAD or (name == "input" and kind in _CALLS) or (name == "skill_id" and kind == _OF_THE_PROVIDER):
            continue
        if name == "container" and _TOOL.search(path):
            yield from _of_reference("container", bytes(value), f"{path}.{name}")
        elif name == _SPOKEN and _MESSAGE.search(path):
            yield from _of_reference("spoken answer", bytes(value), f"{path}.{name}", texts=False)
        yield from _of_member(name, bytes(value), f"{path}.{name}", depth + 1)


def _of_ids(kind: str, raw: bytes, path: str) -> Iterator[Named]:
    """An id, or a list of them."""
    if raw[0] == _TEXT:
        yield Named(kind, _decode_text(raw), _param(path))
    elif raw[0] == _LIST:
        for index, value in enumerate(_decode_list(raw)):
            if bytes(value)[0] == _TEXT:
                yield Named(kind, _decode_text(value), _param(f"{path}.{index}"))


def _members(raw: bytes, path: str) -> dict[str, msgspec.Raw]:
    """The members of an object.

    Raises:
        InvalidRequestError: it is none, or one that names something is there twice: readers differ in which they take.
    """
    try:
        members = _decode_members(raw)
    except MALFORMED:
        raise InvalidRequestError("The request cannot be read.", param=_param(path)) from None
    seen = sum(_count(f'"{name}"'.encode(errors="replace")) + _count(bytes(value)) for name, value in members.items())
    if seen != _count(raw):
        raise InvalidRequestError(
            "A member that names something is there twice.", next_step="Send it once.", param=_param(path)
        )
    return members


def _count(raw: bytes) -> int:
    return sum(raw.count(sign) for sign in _COUNTED)


def _text(raw: msgspec.Raw | None) -> str:
    return _decode_text(raw) if raw is not None and bytes(raw)[0] == _TEXT else ""


def _param(path: str) -> str | None:
    return path.rstrip(".")[:_PARAM_MAX_CHARS] or None
