"""Parts of messages as content blocks of Converse, and what cannot be one.

Rules, where the two are not quite the same:

- an image's `detail` is a hint that Converse has no word for;
- an image or a document is bytes, or lies in S3 (an address ``s3://…``); Converse fetches nothing from the web;
- a document must have a name of letters, digits, blanks, ``-``, ``(``, ``)``, ``[`` and ``]``: others become ``-``;
- ids of tool calls that Converse does not take are replaced by a hash of them, in the call and in its result;
- thoughts that another provider encrypted are left out, and so are for Claude those that it did not sign: nobody could
  read or take them, and to the model they are no part of what was said;
- text without any character but blanks is left out beside other parts: Converse refuses it, and it says nothing.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Media,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.json_object import MALFORMED
from tollway.providers.bedrock.citations import cited_block
from tollway.providers.bedrock.family import Family
from tollway.providers.wire_names import ANTHROPIC, BEDROCK

Block = dict[str, Any] | Raw
"""As it is encoded; raw where it goes back as it came."""

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_IMAGE_BEGINNINGS = (("iVBORw0K", "png"), ("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp"))
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_DOCUMENT_FORMATS = frozenset(_DOCUMENTS.values())
_VIDEOS = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
_SOUNDS = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/webm": "webm", "audio/mp4": "mp4"}
_SOUND_FORMATS = frozenset(("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "pcm", "webm"))
_S3 = "s3://"
_NO_DOCUMENT_NAME = re.compile(r"[^0-9A-Za-z\s\-()\[\]]|\s(?=\s)")
_DOCUMENT_NAME_MAX_CHARS = 200
_TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_EMPTY_OBJECT = Raw(b"{}")
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


def cache_point(cache: str) -> Block:
    """A mark up to which the prompt is to be cached; 5 minutes are the default."""
    return {"cachePoint": {"type": "default", "ttl": "1h"} if cache == "1h" else {"type": "default"}}


class BlockWriter:
    """Writes the blocks of one request."""

    def __init__(self, losses: Losses, family: Family) -> None:
        self._losses = losses
        self._family = family
        self._documents = 0

    def write(self, part: Part, path: str) -> Iterator[Block]:
        """The blocks of one part of a message."""
        block: Block | None
        if isinstance(part, TextPart):
            block = cited_block(part, path, self._losses) if part.citations else {"text": part.text}
        elif isinstance(part, RefusalPart):
            block = {"text": part.text}
        elif isinstance(part, ThinkingPart):
            block = self._thinking(part)
        elif isinstance(part, ToolCallPart):
            block = self._tool_use(part, path)
        elif isinstance(part, ToolResultPart):
            block = self._tool_result(part, path)
        elif isinstance(part, OpaquePart):
            block = self._opaque(part, path)
        else:
            block = self._media(part, path)
        if block is not None:
            yield block
        if part.cache:
            yield cache_point(part.cache)

    def _thinking(self, part: ThinkingPart) -> Block | None:
        """Thoughts. Claude signs the same here as at Anthropic, and takes none without its own signature."""
        own = part.source == BEDROCK or (self._family.claude and part.source == ANTHROPIC)
        if part.redacted:
            blob = b64encode(part.redacted.encode()).decode()
            return {"reasoningContent": {"redactedContent": blob}} if own else None
        signature = part.signature if own else ""
        if self._family.claude and not signature:
            return None
        text = {"text": part.text, "signature": signature} if signature else {"text": part.text}
        return {"reasoningContent": {"reasoningText": text}}

    def _tool_use(self, part: ToolCallPart, path: str) -> Block | None:
        if part.custom:
            self._losses.lose(path, "Converse has no tools that take free text.")
            return None
        return {
            "toolUse": {
                "toolUseId": tool_use_id(part.id),
                "name": part.name,
                "input": _arguments(part.arguments),
            }
        }

    def _tool_result(self, part: ToolResultPart, path: str) -> Block:
        content: list[Block] = []
        for index, inner in enumerate(part.parts):
            inner_path = f"{path}.content.{index}"
            if isinstance(inner, TextPart | RefusalPart):
                content.append({"text": inner.text})
            elif isinstance(inner, ImagePart | FilePart):
                block = self._media(inner, inner_path)
                content += [block] if block is not None else []
            elif isinstance(inner, OpaquePart) and inner.source == BEDROCK:
                content.append(inner.raw)
            else:
                self._losses.lose(inner_path)
        result: dict[str, Any] = {"toolUseId": tool_use_id(part.call_id), "content": content}
        if part.failed:
            result["status"] = "error"
        return {"toolResult": result}

    def _opaque(self, part: OpaquePart, path: str) -> Block | None:
        if part.source == BEDROCK:
            return part.raw
        self._losses.lose(path)
        return None

    def _media(self, part: ImagePart | AudioPart | FilePart, path: str) -> Block | None:
        if isinstance(part, ImagePart):
            return self._sourced("image", part.media, _image_format(part.media), path)
        if isinstance(part, AudioPart):
            format_ = part.format if part.format in _SOUND_FORMATS else _SOUNDS.get(part.media.mime, "")
            return self._sourced("audio", part.media, format_, path)
        if part.media.mime.startswith("video/"):
            return self._sourced("video", part.media, _VIDEOS.get(part.media.mime, ""), path)
        return self._document(part, path)

    def _document(self, part: FilePart, path: str) -> Block | None:
        media = part.media
        if media.kind == "text":
            found: dict[str, Any] = {"document": {"format": "txt", "source": {"text": media.value}}}
        else:
            ending = part.name.rpartition(".")[2].lower()
            format_ = _DOCUMENTS.get(media.mime) or (ending if ending in _DOCUMENT_FORMATS else "")
            sourced = self._sourced("document", media, format_, path)
            if sourced is None:
                return None
            found = sourced
        document = found["document"]
        self._documents += 1
        document["name"] = _document_name(part.title or part.name) or f"document-{self._documents}"
        if part.context:
            document["context"] = part.context
        if part.cites:
            document["citations"] = {"enabled": True}
        return found

    def _sourced(self, kind: str, media: Media, format_: str, path: str) -> dict[str, Any] | None:
        if media.kind == "base64" and format_:
            return {kind: {"format": format_, "source": {"bytes": media.value}}}
        if media.kind == "url" and media.value.startswith(_S3) and format_:
            return {kind: {"format": format_, "source": {"s3Location": {"uri": media.value}}}}
        if media.kind in {"base64", "text"} or media.value.startswith(_S3):
            self._losses.lose(path, f"Converse takes no {kind} of the type {media.mime or 'that is not said'!r}.")
        else:
            self._losses.lose(path, f"Converse takes the bytes of a {kind}, or an address in S3, and nothing else.")
        return None


def tool_use_id(call_id: str) -> str:
    """An id that Converse takes."""
    if _TOOL_USE_ID.fullmatch(call_id):
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:40]}"


def _arguments(text: str) -> Raw | str:
    """Arguments as the document they are; text that is none is sent as text, and the provider judges it."""
    if not text.strip():
        return _EMPTY_OBJECT
    try:
        _decode_object(text)
    except MALFORMED:
        return text
    return Raw(text.encode())


def _image_format(media: Media) -> str:
    if media.mime:
        return _IMAGES.get(media.mime.partition(";")[0].strip().lower(), "")
    if media.kind == "base64":
        return next((format_ for beginning, format_ in _IMAGE_BEGINNINGS if media.value.startswith(beginning)), "")
    ending = media.value.rpartition(".")[2].lower()
    return _IMAGES.get(f"image/{ending}", "")


def _document_name(name: str) -> str:
    return _NO_DOCUMENT_NAME.sub(lambda found: "" if found[0].isspace() else "-", name).strip()[
        :_DOCUMENT_NAME_MAX_CHARS
    ]
