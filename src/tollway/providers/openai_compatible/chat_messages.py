"""Messages as a server of the OpenAI format takes them.

Rules, where its form cannot say the same:

- thoughts go back only where the server has a field for them (`ChatForm.thoughts`): elsewhere they are left out, since
  they are the model's own and no part of the conversation;
- images and files that a tool returned follow the results in a message of the user, for results are text;
- a failed result begins with ``Error:``;
- a refusal of an earlier answer is its text, where the server has no field for it;
- marks of what to cache are left out where the server caches by itself;
- citations of an earlier answer tell its reader, and do not go back.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from tollway.chat.data_url import url_of
from tollway.chat.losses import Losses
from tollway.chat.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.chat.request import ChatRequest
from tollway.providers.chat_form import ChatForm
from tollway.providers.field_names import message_path
from tollway.providers.openai_compatible.thoughts import detail_of
from tollway.providers.wire_names import GEMINI, OPENAI

_Object = dict[str, Any]
UNNAMED = "file.pdf"
"""Name of a file that has none: one is required."""
_OF_RESULTS = "These came with the results of the tools:"


def messages_of(chat: ChatRequest, form: ChatForm, losses: Losses) -> list[_Object]:
    """The ``messages`` of a request."""
    writer = _Writer(chat, form, losses)
    messages: list[_Object] = []
    for index, message in enumerate(chat.messages):
        if message.role == "tool":
            messages += writer.results(message, index)
            continue
        if writer.shown:
            messages.append(writer.take_shown())
        messages.append(writer.answer(message, index) if message.role == "assistant" else writer.said(message, index))
    if writer.shown:
        messages.append(writer.take_shown())
    return messages


def mark_of(cache: str) -> _Object:
    """A ``cache_control``."""
    return {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}


class _Writer:
    """Writes the messages of one request. Attributes: shown: what tools returned that is no text."""

    def __init__(self, chat: ChatRequest, form: ChatForm, losses: Losses) -> None:
        self._chat = chat
        self._form = form
        self._losses = losses
        self.shown: list[_Object] = []

    def said(self, message: Message, index: int) -> _Object:
        """A message of the user, or of the system."""
        role = "system" if message.role == "developer" and not self._form.developer else message.role
        return self._named({"role": role, "content": self._content(message.parts, index)}, message, index)

    def answer(self, message: Message, index: int) -> _Object:
        """An earlier answer."""
        content: list[Part] = []
        written: _Object = {"role": "assistant", "content": None}
        thoughts: list[ThinkingPart] = []
        calls: list[_Object] = []
        for place, part in enumerate(message.parts):
            if isinstance(part, ThinkingPart):
                thoughts.append(part)
            elif isinstance(part, ToolCallPart):
                calls.append(self._call(part))
            elif isinstance(part, TextPart) or (isinstance(part, RefusalPart) and not self._form.developer):
                content.append(part)
            else:
                self._beside(written, part, f"{message_path(self._chat, index)}.content.{place}")
        self._think(written, content, thoughts)
        if content:
            written["content"] = self._content(content, index)
        if calls:
            written["tool_calls"] = calls
        elif written["content"] is None and "refusal" not in written and "audio" not in written:
            written["content"] = ""
        return self._named(written, message, index)

    def _beside(self, written: _Object, part: Part, path: str) -> None:
        """What has a field of its own in an answer."""
        if isinstance(part, RefusalPart):  # those who know developers know refusals
            written["refusal"] = written.get("refusal", "") + part.text
        elif isinstance(part, AudioPart) and part.id and "modalities" in self._form.fields:
            written["audio"] = {"id": part.id}
        elif isinstance(part, OpaquePart) and part.source == OPENAI:
            written[part.kind] = part.raw
        else:
            self._losses.lose(path)

    def results(self, message: Message, index: int) -> Iterable[_Object]:
        """The results of tools, one message each."""
        for place, part in enumerate(message.parts):
            path = f"{message_path(self._chat, index)}.content.{place}"
            if not isinstance(part, ToolResultPart):
                self._losses.lose(path)
                continue
            texts: list[Part] = []
            for number, inner in enumerate(part.parts):
                if isinstance(inner, TextPart):
                    texts.append(inner)
                else:
                    self.shown += self._part(inner, f"{path}.content.{number}")
            if part.failed:
                texts.insert(0, TextPart(text="Error: "))
            marked = self._form.cache_marks and any(text.cache for text in texts)
            content = self._content(texts, index) if marked else _joined(texts)
            yield {"role": "tool", "tool_call_id": part.call_id, "content": content}

    def take_shown(self) -> _Object:
        """The message that shows what tools returned."""
        shown, self.shown = self.shown, []
        return {"role": "user", "content": [{"type": "text", "text": _OF_RESULTS}, *shown]}

    def _content(self, parts: Iterable[Part], index: int) -> str | list[_Object]:
        parts = tuple(parts)
        if len(parts) == 1 and isinstance(parts[0], TextPart | RefusalPart):
            if not (parts[0].cache and self._form.cache_marks):
                return parts[0].text
        elif not parts:
            return ""
        path = message_path(self._chat, index)
        return [written for place, part in enumerate(parts) for written in self._part(part, f"{path}.content.{place}")]

    def _part(self, part: Part, path: str) -> list[_Object]:
        """A part of a message's content; none if it is lost."""
        written = self._text_or_media(part)
        if written is None:
            self._losses.lose(path)
            return []
        if part.cache and self._form.cache_marks:
            written["cache_control"] = mark_of(part.cache)
        return [written]

    def _text_or_media(self, part: Part) -> _Object | None:
        takes, plain = self._form.media, self._form.plain_parts
        if isinstance(part, TextPart | RefusalPart):
            return {"type": "text", "text": part.text}
        if isinstance(part, ImagePart):
            kind = {"url": "image_url", "base64": "image"}.get(part.media.kind, "")
            if kind not in takes:
                return None
            image: _Object = {"url": url_of(part.media, "image/png")}
            if part.detail:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image}
        if isinstance(part, AudioPart) and part.media.kind == "base64" and "audio" in takes:
            kind = part.format or part.media.mime.rpartition("/")[2] or "wav"
            sound = {"data": part.media.value, "format": kind}
            return {"type": "input_audio", "input_audio": part.media.value if plain else sound}
        return self._file(part) if isinstance(part, FilePart) else None

    def _file(self, part: FilePart) -> _Object | None:
        takes, media = self._form.media, part.media
        if media.kind == "text":
            head = "\n".join(text for text in (part.title or part.name, part.context) if text)
            return {"type": "text", "text": f"{head}\n\n{media.value}" if head else media.value}
        if media.kind == "file_id" and "file_id" in takes:
            return {"type": "file", "file": {"file_id": media.value}}
        if self._form.plain_parts and media.kind in {"url", "base64"} and "file_url" in takes:
            return {"type": "document_url", "document_url": url_of(media, "application/pdf")}
        if (media.kind == "base64" and "file" in takes) or (media.kind == "url" and "file_url" in takes):
            name = part.name or part.title or UNNAMED
            return {"type": "file", "file": {"filename": name, "file_data": url_of(media, "application/pdf")}}
        return None

    def _call(self, part: ToolCallPart) -> _Object:
        if part.custom:
            return {"id": part.id, "type": "custom", "custom": {"name": part.name, "input": part.arguments}}
        function = {"name": part.name, "arguments": part.arguments or "{}"}
        call: _Object = {"id": part.id, "type": "function", "function": function}
        if part.signature and self._form.signed_calls and part.source == GEMINI:
            call["extra_content"] = {"google": {"thought_signature": part.signature}}
        return call

    def _think(self, written: _Object, content: list[Part], thoughts: list[ThinkingPart]) -> None:
        form = self._form.thoughts
        if not thoughts or not form:
            return
        if form == "reasoning_details":
            written[form] = [detail_of(part, index) for index, part in enumerate(thoughts)]
            return
        text = "".join(part.text for part in thoughts)
        if form != "parts":
            written[form] = text
        elif text:
            raw = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
            written["content"] = [raw, *self._texts(content)]
            content.clear()

    def _texts(self, parts: list[Part]) -> list[_Object]:
        return [{"type": "text", "text": part.text} for part in parts if isinstance(part, TextPart | RefusalPart)]

    def _named(self, written: _Object, message: Message, index: int) -> _Object:
        if message.name:
            if self._form.names:
                written["name"] = message.name
            else:
                self._losses.lose(f"{message_path(self._chat, index)}.name")
        return written


def _joined(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart | RefusalPart))


def raw_or_empty(raw: Raw | None) -> Raw:
    """A schema; that of no arguments if there is none."""
    return Raw(b'{"type":"object","properties":{}}') if raw is None else raw
