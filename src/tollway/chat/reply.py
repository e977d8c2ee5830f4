"""A whole answer, whatever provider gave it."""

from enum import StrEnum

import msgspec
from msgspec import Raw

from tollway.chat.message import Part
from tollway.ledger.usage import Usage


class Stop(StrEnum):
    """Why an answer ended."""

    END = "end"
    LENGTH = "length"
    CONTEXT = "context"
    """The model's window was full."""
    SEQUENCE = "sequence"
    TOOL_CALLS = "tool_calls"
    FILTER = "filter"
    """The provider held back what was unsafe."""
    REFUSAL = "refusal"
    PAUSE = "pause"
    """The provider stopped a long turn: the caller sends the answer back to go on."""
    OTHER = "other"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer.

    Attributes:
        parts: text, refusals, thoughts, tool calls, audio, images, and what only one wire format knows.
        stop: why it ended; ``None`` if the provider did not say.
        stop_sequence: the sequence that ended it.
        logprobs: JSON in the form of OpenAI's chat completions (``{"content": [...], "refusal": null}``).
        safety: the provider's ratings, JSON as it came.
        beside: what the provider told besides, see `tollway.chat.beside`: name → values.
    """

    parts: tuple[Part, ...] = ()
    stop: Stop | None = None
    stop_sequence: str = ""
    logprobs: Raw | None = None
    safety: Raw | None = None
    beside: dict[str, list[Raw]] = {}


class ChatReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider answered.

    Attributes:
        id: the provider's id of it; empty if none.
        model: that answered; empty if not said.
        created_s: epoch seconds; 0 if not said.
        choices: the answers.
        usage: the provider's own count, disjoint; ``None`` if it gave none that adds up.
        provider_cost: pico-dollars the provider says it charges.
        service_tier: that served it; empty if not said.
        fingerprint: of the provider's system.
    """

    id: str = ""
    model: str = ""
    created_s: int = 0
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    provider_cost: int | None = None
    service_tier: str = ""
    fingerprint: str = ""
