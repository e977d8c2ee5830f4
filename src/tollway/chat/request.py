"""A request for the next message, whatever dialect it came in."""

from typing import Literal

import msgspec
from msgspec import Raw

from tollway.chat.message import INSTRUCTING, Message


class Tool(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tool that runs at the caller's.

    Attributes:
        name, description: for the model; description ``None`` if absent.
        parameters: JSON schema of the arguments as it came; ``None`` if absent.
        strict: whether the arguments must obey the schema; ``None`` if not said.
        custom: whether it takes free text instead of JSON; `format` is then its grammar, if any.
        cache: as of a part.
    """

    name: str
    description: str | None = None
    parameters: Raw | None = None
    strict: bool | None = None
    custom: bool = False
    format: Raw | None = None
    cache: Literal["", "5m", "1h"] = ""


class ProviderTool(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tool that the provider runs (web search …): only the wire format `source` knows it. JSON as it came."""

    source: str
    kind: str
    raw: Raw


class ToolChoice(msgspec.Struct, frozen=True, gc=False):
    """Which tools may be called. Attributes: names: the only ones allowed, empty for all; one and ``tool``: forced."""

    mode: Literal["auto", "none", "required", "tool"]
    names: tuple[str, ...] = ()


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The form of the answer. Attributes: schema: JSON schema as it came."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str = ""
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How much the model thinks first.

    Attributes:
        enabled: whether at all; ``None`` if the model decides.
        effort: ``none``, ``minimal``, ``low``, ``medium``, ``high``, ``xhigh`` or ``max``; empty if not said.
        budget_tokens: at the most; ``None`` if not said.
        summary: how to tell the thoughts: ``none``, ``auto``, ``concise`` or ``detailed``; empty if not said.
    """

    enabled: bool | None = None
    effort: str = ""
    budget_tokens: int | None = None
    summary: str = ""


class ChatRequest(msgspec.Struct, kw_only=True):
    """Everything a caller may ask for that more than one format can say. ``None`` and empty: not said.

    Attributes:
        messages: system and developer messages among them, in the caller's order.
        tools, tool_choice, parallel_tool_calls: what may be called.
        max_output_tokens: of one answer, thoughts included.
        stop: sequences that end the answer.
        n: how many answers.
        logprobs, top_logprobs: whether to tell probabilities, and of how many alternatives.
        user, metadata: an opaque id of the end user, and the caller's own labels. Both are for Tollway's ledger; they
            go on to a provider that has a place for them, and elsewhere are no loss.
        modalities, audio: the kinds of output, and the voice, as they came.
        stream: whether the answer comes as events.
        extras: fields that only the wire format `source` knows, by name, as they came.
        source: the dialect it came in: its `extras` and opaque parts may pass to a provider of the same family.
        leading: how many messages at the head instruct the model. Follows from the messages.
    """

    source: str
    messages: tuple[Message, ...]
    tools: tuple[Tool | ProviderTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    reasoning: Reasoning | None = None
    verbosity: str = ""
    service_tier: str = ""
    user: str = ""
    metadata: dict[str, str] = {}
    modalities: tuple[str, ...] = ()
    audio: Raw | None = None
    prediction: Raw | None = None
    stream: bool = False
    extras: dict[str, Raw] = {}
    leading: int = 0

    def __post_init__(self) -> None:
        """Count the messages at the head that instruct."""
        self.leading = next(
            (place for place, message in enumerate(self.messages) if message.role not in INSTRUCTING),
            len(self.messages),
        )
