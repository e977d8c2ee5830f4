"""The messages of a request in the format of the Messages API.

Rules, none of which loses anything:

- System and developer messages before all others stand in ``system``. Later ones stand where they are if the model
  reads them there; else they are moved to the end of ``system``: they keep their authority, and lose their place.
  Where there is nothing else, they are the user's: the API wants a message.
- Messages of the same role that follow each other become one; results of tools are blocks of a user's message.
- A text without a character is left out: the API refuses it. So is what is left without any block.
- Thoughts go back only to the format that signed them: another model's are no part of the conversation.
- A refusal is text. An image's `detail` is a hint that the format has no word for. A file's name is its title.
- Ids of calls keep only the characters that the API takes; others become ``_``.
"""

import base64
import binascii
import re
from typing import Any

from msgspec import Raw

from tollway.chat.losses import Losses
from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Media,
    Message,
    OpaquePart,
    Part,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest
from tollway.providers.anthropic.blocks import answer_block, call_block, text_block, tool_input
from tollway.providers.anthropic.models import Abilities
from tollway.providers.anthropic.names import SOURCE
from tollway.providers.field_names import message_path
from tollway.providers.turns import add_turn, with_a_turn

Block = dict[str, Any] | Raw

_INSTRUCTING = frozenset({"system", "developer"})
_NO_ID = re.compile(r"[^a-zA-Z0-9_-]")
_IMAGES = (("/9j/", "image/jpeg"), ("iVBOR", "image/png"), ("R0lG", "image/gif"), ("UklGR", "image/webp"))
"""Beginnings of images in base64, where their type is not said."""
_PDF = "application/pdf"


def cache_control(cache: str) -> dict[str, Any]:
    """The mark of a cache; five minutes are what it has without being told."""
    return {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}


class PromptWriter:
    """Writes the messages of one request.

    Attributes:
        system: blocks of ``system``.
        messages: the others.
    """

    def __init__(self, chat: ChatRequest, able: Abilities, losses: Losses) -> None:
        self._losses = losses
        self._own_files = chat.source == SOURCE
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        leading = True
        for index, message in enumerate(chat.messages):
            path = message_path(chat, index)
            leading = leading and message.role in _INSTRUCTING
            if message.role not in _INSTRUCTING:
                self._add("assistant" if message.role == "assistant" else "user", message, path)
            elif leading or not able.systems:
                self.system += self._blocks(message, path)
            else:
                self._add("system", message, path)
        self.messages, self.system = with_a_turn(self.messages, self.system)

    def _add(self, role: str, message: Message, path: str) -> None:
        blocks = self._blocks(message, path)
        if message.name:
            self._losses.lose(f"{path}.name")
        add_turn(self.messages, role, blocks)

    def _blocks(self, message: Message, path: str) -> list[Block]:
        found = (self._block(part, f"{path}.content.{index}") for index, part in enumerate(message.parts))
        return [block for block in found if block is not None]

    def _block(self, part: Part, path: str) -> Block | None:
        block = self._uncached(part, path)
        if part.cache and isinstance(block, dict):
            block["cache_control"] = cache_control(part.cache)
        return block

    def _uncached(self, part: Part, path: str) -> Block | None:  # noqa: PLR0911 -- one kind of part after the other
        match part:
            case TextPart():
                return text_block(part) if part.text else None
            case ToolCallPart():
                return call_block(part, call_id(part.id), tool_input(part))
            case ToolResultPart():
                return self._result(part, path)
            case ImagePart():
                return self._image(part, path)
            case FilePart():
                return self._file(part, path)
            case ThinkingPart():
                return _thoughts(part)
            case AudioPart():
                self._losses.lose(path, "It takes no sound.")
                return None
            case OpaquePart() if part.source != SOURCE:
                self._losses.lose(path)
                return None
            case _:
                return answer_block(part)

    def _result(self, part: ToolResultPart, path: str) -> Block:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id(part.call_id)}
        only = part.parts[0] if len(part.parts) == 1 else None
        if isinstance(only, TextPart) and not only.cache:
            block["content"] = only.text
        elif part.parts:
            found = (self._block(inner, f"{path}.content.{index}") for index, inner in enumerate(part.parts))
            block["content"] = [inner for inner in found if inner is not None]
        if part.failed:
            block["is_error"] = True
        return block

    def _image(self, part: ImagePart, path: str) -> Block | None:
        if part.media.kind == "text" or (part.media.kind == "file_id" and not self._own_files):
            self._losses.lose(path, "It does not know the file.")
            return None
        return {"type": "image", "source": _source(part.media, _image_type(part.media))}

    def _file(self, part: FilePart, path: str) -> Block | None:
        source = self._document(part.media)
        if source is None:
            self._losses.lose(path, "It takes PDF files, texts, and files that it keeps itself.")
            return None
        block: dict[str, Any] = {"type": "document", "source": source}
        if part.title or part.name:
            block["title"] = part.title or part.name
        if part.context:
            block["context"] = part.context
        if part.cites:
            block["citations"] = {"enabled": True}
        return block

    def _document(self, media: Media) -> dict[str, Any] | None:
        if media.kind == "text":
            return {"type": "text", "media_type": "text/plain", "data": media.value}
        if media.kind == "file_id":
            return _source(media, "") if self._own_files else None
        if media.kind == "url" or media.mime in {"", _PDF}:
            return _source(media, _PDF)
        if not media.mime.startswith("text/") and media.mime != "application/json":
            return None
        try:
            text = base64.b64decode(media.value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        return {"type": "text", "media_type": "text/plain", "data": text}


def call_id(own_id: str) -> str:
    """The id of a call as the API takes it."""
    return _NO_ID.sub("_", own_id)


def _thoughts(part: ThinkingPart) -> Block | None:
    """Thoughts that the format signed; ``None`` for all others."""
    if part.source != SOURCE or not (part.signature or part.redacted):
        return None
    return answer_block(part)


def _image_type(media: Media) -> str:
    if media.mime or media.kind != "base64":
        return media.mime
    return next((mime for beginning, mime in _IMAGES if media.value.startswith(beginning)), "image/png")


def _source(media: Media, mime: str) -> dict[str, Any]:
    if media.kind == "url":
        return {"type": "url", "url": media.value}
    if media.kind == "file_id":
        return {"type": "file", "file_id": media.value}
    return {"type": "base64", "media_type": mime, "data": media.value}
