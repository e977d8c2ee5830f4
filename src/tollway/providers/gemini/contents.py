"""Messages as ``contents`` and ``systemInstruction``.

Rules (https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/function-calling):

- System and developer messages are the system instruction, wherever they stand. Where there is nothing else, they are
  what the user says, as there must be something.
- Neighbours of one role are one content: results of tools that were called together must stand together, and right
  behind the calls.
- A result is ``{"output": text}``, or ``{"error": text}`` if the tool failed: text as it is, as numbers would change on
  their way through Google's own types. Its images are parts of it from Gemini 3 on, and stand behind it before.
- A result names the tool: by the call that it answers; by the call's id if there is no such call.
- Arguments that are no JSON object are ``{"input": text}``.
- Thoughts of other providers are sent as thoughts, without their signatures.
- Gemini 3 refuses calls that it has not signed: to the first call of a turn that has no signature of Gemini's goes the
  one that Google documents for that (https://ai.google.dev/gemini-api/docs/thought-signatures#faqs).
- Marks for a cache are not needed: Gemini caches by itself.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from msgspec import Raw

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
from tollway.json_object import MALFORMED, decode_object
from tollway.providers.field_names import message_path
from tollway.providers.gemini.media import media_parts
from tollway.providers.gemini.model import NEW_RULES_FROM, generation
from tollway.providers.wire_names import GEMINI

_ROLES = {"user": "user", "tool": "user", "assistant": "model"}
_SYSTEM = ("system", "developer")
UNSIGNED = b64encode(b"skip_thought_signature_validator").decode()
"""Instead of the signature of a call that another provider made."""


class ContentWriter:
    """Writes the messages of one request."""

    def __init__(self, *, model: str, base_url: str, losses: Losses) -> None:
        """Args: model: its name; base_url: of the API, for files that are there; losses: see `Losses`."""
        self._new = generation(model) >= NEW_RULES_FROM
        self._base_url = base_url
        self._losses = losses
        self._names: dict[str, str] = {}

    def write(self, chat: ChatRequest) -> dict[str, Any]:
        """``contents``, and ``systemInstruction`` if there is one."""
        system: list[dict[str, Any]] = []
        contents: list[dict[str, Any]] = []
        before = ""
        for number, message in enumerate(chat.messages):
            parts = self._message(message, message_path(chat, number))
            if message.role in _SYSTEM:
                system += parts
            elif message.role == before:
                contents[-1]["parts"] += parts
            elif parts:
                contents.append({"role": _ROLES[message.role], "parts": parts})
                before = message.role
        if self._new:
            _sign(contents)
        if not contents:
            return {"contents": [{"role": "user", "parts": system}]}
        written: dict[str, Any] = {"contents": contents}
        if system:
            written["systemInstruction"] = {"parts": system}
        return written

    def _message(self, message: Message, path: str) -> list[dict[str, Any]]:
        if message.name:
            self._losses.lose(f"{path}.name")
        written = (self._part(part, f"{path}.content.{place}") for place, part in enumerate(message.parts))
        return [part for parts in written for part in parts]

    def _part(self, part: Part, path: str) -> list[dict[str, Any]]:
        if isinstance(part, TextPart | RefusalPart):
            return [{"text": part.text}]
        if isinstance(part, ToolCallPart):
            return [self._call(part)]
        if isinstance(part, ToolResultPart):
            return self._result(part, path)
        if isinstance(part, ThinkingPart):
            return _thought(part)
        if isinstance(part, ImagePart | AudioPart | FilePart):
            return media_parts(part, base_url=self._base_url, losses=self._losses, path=path)
        return self._opaque(part, path)

    def _opaque(self, part: OpaquePart, path: str) -> list[Any]:
        if part.source == GEMINI:
            return [part.raw]
        self._losses.lose(path)
        return []

    def _call(self, call: ToolCallPart) -> dict[str, Any]:
        self._names[call.id] = call.name
        part: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": _arguments(call)}}
        if call.signature and call.source == GEMINI:
            part["thoughtSignature"] = call.signature
        return part

    def _result(self, result: ToolResultPart, path: str) -> list[dict[str, Any]]:
        texts: list[str] = []
        media: list[dict[str, Any]] = []
        for place, part in enumerate(result.parts):
            if isinstance(part, TextPart | RefusalPart):
                texts.append(part.text)
            else:
                media += self._part(part, f"{path}.content.{place}")
        response: dict[str, Any] = {
            "id": result.call_id,
            "name": self._names.get(result.call_id) or result.call_id or "tool",
            "response": {"error" if result.failed else "output": "\n".join(texts)},
        }
        if not media:
            return [{"functionResponse": response}]
        if not self._new or any("text" in each for each in media):
            return [{"functionResponse": response}, *media]
        return [{"functionResponse": response | {"parts": media}}]


def _arguments(call: ToolCallPart) -> Raw | dict[str, str]:
    if call.custom:
        return {"input": call.arguments}
    text = call.arguments.strip()
    try:
        decode_object(text.encode())
    except (*MALFORMED, UnicodeEncodeError):
        return {"input": call.arguments} if text else {}
    return Raw(text.encode())


def _thought(part: ThinkingPart) -> list[dict[str, Any]]:
    signature = part.signature if part.source == GEMINI else ""
    if not part.text:
        return [{"text": "", "thoughtSignature": signature}] if signature else []
    thought: dict[str, Any] = {"text": part.text, "thought": True}
    return [thought | {"thoughtSignature": signature} if signature else thought]


def _sign(contents: list[dict[str, Any]]) -> None:
    for content in contents:
        first = next(_calls(content), None)
        if first is not None and "thoughtSignature" not in first:
            first["thoughtSignature"] = UNSIGNED


def _calls(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (part for part in content["parts"] if isinstance(part, dict) and "functionCall" in part)
