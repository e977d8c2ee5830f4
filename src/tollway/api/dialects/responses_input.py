"""The ``input`` of a request of the Responses API as messages.

Source: https://platform.openai.com/docs/api-reference/responses/create (`input`). Rules that are no losses:

- what the model itself said in a row (messages, thoughts, calls) is one message of the assistant;
- ``id``, ``status``, ``phase``, ``logprobs`` and ``created_by`` of an item say nothing to a model, and stay behind;
- of a reasoning item that has both, the thoughts themselves go on and not the summary of them;
- a tool of a namespace has the name ``namespace__tool``, as other formats have no namespaces.
"""

from collections.abc import Callable

from msgspec import Raw

from tollway.api.dialects.members import Members, is_text, list_of, text_of, wrong
from tollway.api.dialects.responses_signature import SOURCE, unpacked
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
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from tollway.errors import InvalidRequestError

NAMESPACE_SEPARATOR = "__"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}
_BOOKKEEPING = ("id", "status", "phase", "logprobs", "created_by", "type")
_URL_CITATION = "url_citation"


def messages_of(raw: Raw, losses: Losses) -> tuple[list[Message], list[Raw]]:
    """The messages of an ``input``, and the tools that items of it bring.

    Raises:
        InvalidRequestError: something is not what the dialect says.
        UnsupportedFieldError: see `Losses`.
    """
    if is_text(raw):
        return [Message("user", (TextPart(text=text_of(raw, "input")),))], []
    builder = _Builder(losses)
    for index, item in enumerate(list_of(raw, "input")):
        builder.add(item, f"input.{index}")
    return builder.messages(), builder.tools


class _Builder:
    """Messages on their way: items of one speaker in a row become one."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._turns: list[tuple[Role, list[Part]]] = []
        self.tools: list[Raw] = []

    def messages(self) -> list[Message]:
        """What came of the items."""
        return [Message(role, tuple(parts)) for role, parts in self._turns]

    def add(self, raw: Raw, path: str) -> None:
        """Take in one item."""
        item = Members.of(raw, path)
        kind = item.text("type") or "message"
        if kind == "message":
            self._message(item)
        elif (read := _ASSISTANT.get(kind)) is not None:
            self._join("assistant", [read(item)])
            item.ignore(*_BOOKKEEPING)
            item.lose_rest(self._losses)
        elif kind in _RESULTS:
            self._join("tool", [_result(item, self._losses, custom=kind.startswith("custom"))])
            item.ignore(*_BOOKKEEPING)
            item.lose_rest(self._losses)
        elif kind == "additional_tools":
            self.tools += item.list("tools")
        elif kind == "item_reference":
            raise InvalidRequestError(
                f"`{path}` refers to an item that is not kept here.",
                next_step="Send the item itself, or store the responses it came from.",
                param=path,
            )
        else:
            self._join("assistant", [OpaquePart(source=SOURCE, kind=kind, raw=raw)])

    def _message(self, item: Members) -> None:
        role = _ROLES.get(item.required_text("role"))
        if role is None:
            raise wrong(item.at("role"), "user, assistant, system or developer")
        content = item.raw("content")
        if content is None:
            raise wrong(item.at("content"), "a string or a list")
        parts: list[Part]
        if is_text(content):
            parts = [TextPart(text=text_of(content, item.at("content")))]
        else:
            parts = parts_of(content, item.at("content"), self._losses)
        if role == "assistant":
            self._join(role, parts)
        else:
            self._turns.append((role, parts))
        item.ignore(*_BOOKKEEPING)
        item.lose_rest(self._losses)

    def _join(self, role: Role, parts: list[Part]) -> None:
        if self._turns and self._turns[-1][0] == role:
            self._turns[-1][1].extend(parts)
        else:
            self._turns.append((role, parts))


def parts_of(raw: Raw, path: str, losses: Losses) -> list[Part]:
    """The parts of a content.

    Raises:
        InvalidRequestError, UnsupportedFieldError: as of `messages_of`.
    """
    parts: list[Part] = []
    for index, element in enumerate(list_of(raw, path)):
        part = Members.of(element, f"{path}.{index}")
        kind = part.required_text("type")
        read = _CONTENT.get(kind)
        if read is None:
            losses.lose(f"{path}.{index}")
            continue
        parts.append(read(part))
        part.ignore(*_BOOKKEEPING)
        part.lose_rest(losses)
    return parts


def _text(part: Members) -> Part:
    citations = tuple(_citation(raw, part.at("annotations")) for raw in part.list("annotations"))
    return TextPart(text=part.required_text("text"), citations=citations)


def _citation(raw: Raw, path: str) -> Citation:
    """An annotation; what is no address keeps its own form, as only this dialect knows it."""
    members = Members.of(raw, path)
    kind = members.text("type")
    if kind != _URL_CITATION:
        return Citation("document", title=members.text("filename"), extra={"annotation": raw})
    return Citation(
        "url",
        title=members.text("title"),
        url=members.text("url"),
        unit="answer",
        start=members.integer("start_index"),
        end=members.integer("end_index"),
    )


def _refusal(part: Members) -> Part:
    return RefusalPart(text=part.required_text("refusal"))


def _image(part: Members) -> Part:
    detail = part.text("detail")
    file_id = part.text("file_id")
    if file_id:
        return ImagePart(media=Media("file_id", file_id), detail=detail)
    return ImagePart(media=media_of(part.required_text("image_url")), detail=detail)


def _file(part: Members) -> Part:
    name = part.text("filename")
    file_id, address = part.text("file_id"), part.text("file_url")
    if file_id:
        return FilePart(media=Media("file_id", file_id), name=name)
    if address:
        return FilePart(media=Media("url", address), name=name)
    data = part.required_text("file_data")
    return FilePart(media=media_of(data) if data.startswith("data:") else Media("base64", data), name=name)


def _audio(part: Members) -> Part:
    audio = part.members("input_audio")
    if audio is None:
        raise wrong(part.at("input_audio"), "an object")
    return AudioPart(media=Media("base64", audio.required_text("data")), format=audio.text("format"))


def _thoughts(item: Members) -> Part:
    content = [Members.of(raw, item.at("content")).text("text") for raw in item.list("content")]
    summary = [Members.of(raw, item.at("summary")).text("text") for raw in item.list("summary")]
    return unpacked(item.text("encrypted_content"), text="\n\n".join(content or summary), id_=item.text("id"))


def _call(item: Members) -> Part:
    item.ignore("caller")
    name, namespace = item.required_text("name"), item.text("namespace")
    return ToolCallPart(
        id=item.required_text("call_id"),
        name=f"{namespace}{NAMESPACE_SEPARATOR}{name}" if namespace else name,
        arguments=item.text("arguments"),
    )


def _custom_call(item: Members) -> Part:
    item.ignore("caller", "namespace")
    return ToolCallPart(
        id=item.required_text("call_id"), name=item.required_text("name"), arguments=item.text("input"), custom=True
    )


def _result(item: Members, losses: Losses, *, custom: bool) -> Part:
    item.ignore("caller", "name", "namespace")
    call_id = item.required_text("call_id")
    output = item.raw("output")
    if output is None:
        raise wrong(item.at("output"), "a string or a list")
    path = item.at("output")
    parts = [TextPart(text=text_of(output, path))] if is_text(output) else parts_of(output, path, losses)
    return ToolResultPart(call_id=call_id, parts=tuple(parts), custom=custom)


_CONTENT: dict[str, Callable[[Members], Part]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}
_ASSISTANT: dict[str, Callable[[Members], Part]] = {
    "reasoning": _thoughts,
    "function_call": _call,
    "custom_tool_call": _custom_call,
}
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
