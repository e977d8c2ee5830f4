"""Messages of a chat completion's request, in the internal form."""

from collections.abc import Iterator
from typing import Literal

from tollway.api.dialects import openai_shapes as shapes
from tollway.chat.data_url import media_of
from tollway.chat.losses import Losses
from tollway.chat.message import (
    AudioPart,
    Citation,
    FilePart,
    ImagePart,
    Media,
    Message,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.errors import InvalidRequestError
from tollway.providers.openai_compatible.thoughts import part_of
from tollway.providers.wire_names import GEMINI, OPENAI

_Cache = Literal["", "5m", "1h"]
SIGNERS = {"google": GEMINI}
"""Names of ``extra_content`` → wire format, where they differ."""


def messages_of(messages: list[shapes.Message], losses: Losses) -> tuple[Message, ...]:
    """All messages."""
    reader = _Reader(losses)
    return tuple([reader.read(message, f"messages.{index}") for index, message in enumerate(messages)])


class _Reader:
    """Reads the messages of one request, in their order: results refer to the calls before them."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._custom: set[str] = set()
        self._legacy: dict[str, str] = {}
        self._calls = 0

    def read(self, message: shapes.Message, path: str) -> Message:
        """One message."""
        role = message.role
        if role == "assistant":
            return Message("assistant", self._answer(message, path), message.name or "")
        if message.tool_calls or message.function_call is not None:
            self._losses.lose(f"{path}.tool_calls", "only an assistant calls tools.")
        content = message.content
        parts = self._parts(content or [], path) if not isinstance(content, str) else (TextPart(text=content),)
        if role == "tool":
            if message.tool_call_id is None:
                raise InvalidRequestError(f"`{path}.tool_call_id` is missing.", param=f"{path}.tool_call_id")
            id_ = message.tool_call_id
            return Message("tool", (ToolResultPart(call_id=id_, parts=parts, custom=id_ in self._custom),))
        if role == "function":
            id_ = self._legacy.get(message.name or "", message.name or "")
            return Message("tool", (ToolResultPart(call_id=id_, parts=parts),))
        return Message(role, parts, message.name or "")

    def _parts(self, content: list[shapes.Content], path: str) -> tuple[Part, ...]:
        return tuple([self._part(part, f"{path}.content.{index}") for index, part in enumerate(content)])

    def _part(self, part: shapes.Content, path: str) -> Part:
        cache = part.cache_control.ttl if part.cache_control is not None else ""
        if isinstance(part, shapes.Text):
            return TextPart(text=part.text, cache=cache)
        if isinstance(part, shapes.Image):
            return _image(part, cache)
        if isinstance(part, shapes.Refusal):
            return RefusalPart(text=part.refusal, cache=cache)
        if isinstance(part, shapes.Thinking):
            text = part.thinking if isinstance(part.thinking, str) else "".join(each.text for each in part.thinking)
            return ThinkingPart(text=text, source=OPENAI)
        return _sound(part, cache) if isinstance(part, shapes.Audio) else self._file(part, cache, path)

    def _file(self, part: shapes.File | shapes.Document, cache: _Cache, path: str) -> FilePart:
        if isinstance(part, shapes.Document):
            return FilePart(media=media_of(part.document_url), name=part.document_name or "", cache=cache)
        file = part.file
        if file.file_data is not None:
            data = file.file_data
            known = data.startswith(("data:", "http://", "https://"))
            media = media_of(data) if known else Media("base64", data, "application/pdf")
        elif file.file_id is not None:
            media = Media("file_id", file.file_id)
        else:
            raise InvalidRequestError(f"`{path}.file` has neither `file_data` nor `file_id`.", param=f"{path}.file")
        return FilePart(media=media, name=file.filename or "", cache=cache)

    def _answer(self, message: shapes.Message, path: str) -> tuple[Part, ...]:
        """The parts of an earlier answer."""
        parts: list[Part] = []
        if message.reasoning_details:
            parts += [part_of(detail) for detail in message.reasoning_details]
        elif thoughts := message.reasoning_content or message.reasoning:
            parts.append(ThinkingPart(text=thoughts, source=OPENAI))
        if message.content:
            if isinstance(message.content, str):
                parts.append(TextPart(text=message.content, citations=_citations(message.annotations)))
            else:
                parts += self._parts(message.content, path)
        if message.refusal:
            parts.append(RefusalPart(text=message.refusal))
        for index, call in enumerate(message.tool_calls or ()):
            parts.append(self._call(call, f"{path}.tool_calls.{index}"))
        if message.function_call is not None:
            self._calls += 1
            id_ = self._legacy[message.function_call.name] = f"call_{self._calls}"
            parts.append(
                ToolCallPart(id=id_, name=message.function_call.name, arguments=message.function_call.arguments)
            )
        parts += self._beside(message)
        return tuple(parts)

    def _beside(self, message: shapes.Message) -> Iterator[Part]:
        """What few answers have."""
        if message.audio is not None:
            yield AudioPart(media=Media("base64", ""), id=message.audio.id)
        yield from (_image(image, "") for image in message.images or ())
        if message.executed_tools is not shapes.NULL and bytes(message.executed_tools) != b"null":
            yield OpaquePart(source=OPENAI, kind="executed_tools", raw=message.executed_tools)

    def _call(self, call: shapes.ToolCall, path: str) -> ToolCallPart:
        signer, signature = "", ""
        for name, signed in (call.extra_content or {}).items():
            signer, signature = SIGNERS.get(name, name), signed.thought_signature
        if call.type == "custom" and call.custom is not None:
            self._custom.add(call.id)
            return ToolCallPart(
                id=call.id, name=call.custom.name, arguments=call.custom.input, custom=True, signature=signature,
                source=signer,
            )  # fmt: skip
        if call.function is None:
            raise InvalidRequestError(f"`{path}.{call.type}` is missing.", param=f"{path}.{call.type}")
        return ToolCallPart(
            id=call.id, name=call.function.name, arguments=call.function.arguments, signature=signature, source=signer
        )


def _image(part: shapes.Image, cache: _Cache) -> ImagePart:
    image = part.image_url
    if isinstance(image, str):
        return ImagePart(media=media_of(image), cache=cache)
    return ImagePart(media=media_of(image.url), detail=image.detail or "", cache=cache)


def _sound(part: shapes.Audio, cache: _Cache) -> AudioPart:
    sound = part.input_audio
    if isinstance(sound, str):
        return AudioPart(media=Media("base64", sound), cache=cache)
    mime = f"audio/{sound.format}" if sound.format else ""
    return AudioPart(media=Media("base64", sound.data, mime), format=sound.format, cache=cache)


def _citations(annotations: list[shapes.Annotation] | None) -> tuple[Citation, ...]:
    cited = [each.url_citation for each in annotations or () if each.url_citation is not None]
    return tuple(
        [
            Citation(
                "url",
                text=each.content or "",
                title=each.title,
                url=each.url,
                unit="" if each.start_index is None else "answer",
                start=each.start_index,
                end=each.end_index,
            )
            for each in cited
        ]
    )
