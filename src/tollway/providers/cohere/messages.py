"""Messages as Cohere wants them, and documents that are to be cited.

Rules (https://docs.cohere.com/reference/chat):

- What the assistant says before it calls tools is its plan (``tool_plan``).
- A result of a tool that failed is ``{"error": text}`` as text: there is no mark for it.
- A file of text is text; one that is to be cited is a document of the request, with its title and context.
- Thoughts are sent as thoughts, without signatures; Cohere signs none.
- Marks for a cache are not needed: Cohere caches by itself.
"""

from typing import Any

import msgspec

from tollway.chat.data_url import url_of
from tollway.chat.losses import Losses
from tollway.chat.message import (
    FilePart,
    ImagePart,
    Message,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest
from tollway.providers.cohere.reply import DOCUMENT_ID
from tollway.providers.field_names import message_path

_SYSTEM = ("system", "developer")
_IMAGE_KINDS = ("url", "base64")


class MessageWriter:
    """Writes the messages of one request.

    Attributes:
        documents: that came with the messages and are to be cited.
    """

    def __init__(self, losses: Losses, *, documents: bool) -> None:
        """Args: losses: see `Losses`; documents: whether files may become documents."""
        self._losses = losses
        self._may_cite = documents
        self.documents: list[dict[str, Any]] = []

    def write(self, chat: ChatRequest) -> list[dict[str, Any]]:
        """All messages."""
        written: list[dict[str, Any]] = []
        for number, message in enumerate(chat.messages):
            path = message_path(chat, number)
            if message.name:
                self._losses.lose(f"{path}.name")
            if message.role == "tool":
                written += self._results(message, path)
            elif message.role == "assistant":
                written.append(self._assistant(message, path))
            else:
                role = "system" if message.role in _SYSTEM else "user"
                written.append({"role": role, "content": self._content(message, path)})
        return written

    def _content(self, message: Message, path: str) -> str | list[dict[str, Any]]:
        if len(message.parts) == 1 and isinstance(message.parts[0], TextPart):
            return message.parts[0].text
        blocks = []
        for place, part in enumerate(message.parts):
            block = self._block(part, f"{path}.content.{place}")
            if block is not None:
                blocks.append(block)
        return blocks or ""

    def _block(self, part: Part, path: str) -> dict[str, Any] | None:
        if isinstance(part, TextPart | RefusalPart):
            return {"type": "text", "text": part.text}
        if isinstance(part, ImagePart) and part.media.kind in _IMAGE_KINDS:
            image = {"url": url_of(part.media, "image/png")}
            return {"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}
        if isinstance(part, FilePart) and part.media.kind == "text":
            return self._file(part, path)
        self._losses.lose(path)
        return None

    def _file(self, part: FilePart, path: str) -> dict[str, Any] | None:
        if part.cites and self._may_cite:
            told = {"title": part.title or part.name, "context": part.context, "text": part.media.value}
            data = {name: value for name, value in told.items() if value}
            self.documents.append({"id": f"{DOCUMENT_ID}{len(self.documents)}", "data": data})
            return None
        if part.cites:
            self._losses.lose(f"{path}.citations", "The request has documents of Cohere's own form already.")
        return {
            "type": "text",
            "text": "\n".join(text for text in (part.title, part.context, part.media.value) if text),
        }

    def _assistant(self, message: Message, path: str) -> dict[str, Any]:
        written: dict[str, Any] = {"role": "assistant"}
        calls, texts, content = [], [], []
        for place, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                function = {"name": part.name, "arguments": _arguments(part)}
                calls.append({"id": part.id, "type": "function", "function": function})
            elif isinstance(part, TextPart | RefusalPart):
                texts.append(part.text)
                content.append({"type": "text", "text": part.text})
            elif isinstance(part, ThinkingPart):
                content += [{"type": "thinking", "thinking": part.text}] if part.text else []
            else:
                self._losses.lose(f"{path}.content.{place}")
        if calls:
            written["tool_calls"] = calls
            if texts:
                written["tool_plan"] = "\n".join(texts)
            content = [block for block in content if block["type"] == "thinking"]
        if content or not calls:
            written["content"] = content or ""
        return written

    def _results(self, message: Message, path: str) -> list[dict[str, Any]]:
        written = []
        for place, part in enumerate(message.parts):
            if not isinstance(part, ToolResultPart):
                self._losses.lose(f"{path}.content.{place}")
                continue
            texts = []
            for inner, piece in enumerate(part.parts):
                if isinstance(piece, TextPart | RefusalPart):
                    texts.append(piece.text)
                elif isinstance(piece, FilePart) and piece.media.kind == "text":
                    texts.append(piece.media.value)
                else:
                    self._losses.lose(f"{path}.content.{place}.content.{inner}")
            text = "\n".join(texts)
            told = msgspec.json.encode({"error": text}).decode() if part.failed else text
            written.append({"role": "tool", "tool_call_id": part.call_id, "content": told})
        return written


def _arguments(call: ToolCallPart) -> str:
    return msgspec.json.encode({"input": call.arguments}).decode() if call.custom else call.arguments or "{}"
