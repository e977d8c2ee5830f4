"""Messages of formats in which speakers take turns, and instructions stand apart from them. Pure."""

from typing import Any

Messages = list[dict[str, Any]]


def add_turn(messages: Messages, role: str, content: list[Any]) -> None:
    """What a speaker says next: of the last message, if that is the speaker's too. Who says nothing has no message."""
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += content
    elif content:
        messages.append({"role": role, "content": content})


def with_a_turn(messages: Messages, system: list[Any]) -> tuple[Messages, list[Any]]:
    """Messages and instructions. Where there is nothing else, instructions are the user's: the formats want a turn."""
    return (messages, system) if messages or not system else ([{"role": "user", "content": system}], [])
