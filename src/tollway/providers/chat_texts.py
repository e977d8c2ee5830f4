"""The texts of a conversation, for an estimate of its tokens. Pure."""

from collections.abc import Iterator

from tollway.chat.message import FilePart, Part, RefusalPart, TextPart, ThinkingPart, ToolCallPart, ToolResultPart
from tollway.chat.request import ChatRequest, Tool


def chat_texts(chat: ChatRequest) -> list[str]:
    """All text that becomes input tokens: of messages, and of tools."""
    texts = [text for message in chat.messages for part in message.parts for text in part_texts(part)]
    for tool in chat.tools:
        if isinstance(tool, Tool):
            texts += [tool.name, tool.description or ""]
            texts += [bytes(tool.parameters).decode(errors="replace")] if tool.parameters is not None else []
    return texts


def part_texts(part: Part) -> Iterator[str]:
    """What of a part is text to a tokenizer."""
    if isinstance(part, TextPart | RefusalPart | ThinkingPart):
        yield part.text
    elif isinstance(part, ToolCallPart):
        yield part.name
        yield part.arguments
    elif isinstance(part, ToolResultPart):
        for inner in part.parts:
            yield from part_texts(inner)
    elif isinstance(part, FilePart) and part.media.kind == "text":
        yield part.media.value
