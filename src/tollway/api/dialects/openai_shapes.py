"""The parts of a chat completion's request, typed: https://platform.openai.com/docs/api-reference/chat/create.

Extensions in use beside it: ``cache_control`` on parts and tools, ``reasoning_content``, ``reasoning``,
``reasoning_details``, ``images`` and ``extra_content`` on messages of the assistant, content with ``thinking`` and
``document_url`` (Mistral), and at the top level ``reasoning`` (OpenRouter), ``thinking``, ``top_k`` and ``min_p``.
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw

from tollway.providers.openai_compatible.thoughts import Detail

NULL = Raw(b"null")
"""What is absent: values stay raw."""


class _Known(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Has these members and no others."""


class CacheControl(_Known):
    """How long to keep the prompt up to here."""

    type: Literal["ephemeral"] = "ephemeral"
    ttl: Literal["5m", "1h"] = "5m"


class _Part(_Known, tag_field="type", kw_only=True):
    cache_control: CacheControl | None = None


class Text(_Part, tag="text", kw_only=True):
    """Text."""

    text: str


class Refusal(_Part, tag="refusal", kw_only=True):
    """A refusal of an earlier answer."""

    refusal: str


class ImageUrl(_Known):
    """Where an image is."""

    url: str
    detail: str | None = None


class Image(_Part, tag="image_url", kw_only=True):
    """An image."""

    image_url: ImageUrl | str
    index: int | None = None


class InputAudio(_Known):
    """Sound in base64."""

    data: str
    format: str = ""


class Audio(_Part, tag="input_audio", kw_only=True):
    """Sound."""

    input_audio: InputAudio | str


class FileObject(_Known):
    """A file, by its bytes or its id."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class File(_Part, tag="file", kw_only=True):
    """A file."""

    file: FileObject


class Document(_Part, tag="document_url", kw_only=True):
    """A document by its address."""

    document_url: str
    document_name: str | None = None


class Thinking(_Part, tag="thinking", kw_only=True):
    """Thoughts of an earlier answer."""

    thinking: list[Text] | str


Content = Text | Refusal | Image | Audio | File | Document | Thinking


class AudioId(_Known):
    """A spoken answer; only its id says which."""

    id: str
    data: str | None = None
    expires_at: int | None = None
    transcript: str | None = None


class Function(_Known):
    """A call."""

    name: str
    arguments: str = ""


class Custom(_Known):
    """A call of a tool that takes free text."""

    name: str
    input: str = ""


class Signed(_Known):
    """A provider's signature of a call."""

    thought_signature: str


class ToolCall(_Known):
    """A call of an earlier answer."""

    id: str
    type: Literal["function", "custom"] = "function"
    function: Function | None = None
    custom: Custom | None = None
    index: int | None = None
    extra_content: dict[str, Signed] | None = None


class UrlCitation(_Known):
    """A source."""

    url: str
    title: str = ""
    start_index: int | None = None
    end_index: int | None = None
    content: str | None = None


class Annotation(_Known):
    """A source of an earlier answer."""

    type: str
    url_citation: UrlCitation | None = None


class KnownDetail(Detail, forbid_unknown_fields=True):
    """See `thoughts.Detail`."""


class Message(_Known):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Content] | None = None
    name: str | None = None
    refusal: str | None = None
    audio: AudioId | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Function | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[KnownDetail] | None = None
    annotations: list[Annotation] | None = None
    images: list[Image] | None = None
    citations: Raw = NULL
    executed_tools: Raw = NULL


class FunctionTool(_Known):
    """A function."""

    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None


class CustomTool(_Known):
    """A tool that takes free text."""

    name: str
    description: str | None = None
    format: Raw = NULL


class Tool(_Known):
    """One of ``tools``."""

    type: Literal["function", "custom"] = "function"
    function: FunctionTool | None = None
    custom: CustomTool | None = None
    cache_control: CacheControl | None = None


class Named(_Known):
    """A tool by its name."""

    name: str


class ChosenTool(_Known):
    """A tool that is allowed."""

    type: Literal["function", "custom"] = "function"
    function: Named | None = None
    custom: Named | None = None
    name: str | None = None


class AllowedTools(_Known):
    """The tools that are allowed."""

    mode: Literal["auto", "required"]
    tools: list[ChosenTool]


class ToolChoice(_Known):
    """Which tools may be called."""

    type: Literal["function", "custom", "allowed_tools"]
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(_Known):
    """The schema of an answer."""

    name: str = ""
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class ResponseFormat(_Known):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Reasoning(_Known):
    """OpenRouter's ``reasoning``."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None
    summary: str | None = None


class ThinkingSwitch(_Known):
    """``thinking`` (DeepSeek, Z.ai, Anthropic's compatible endpoint)."""

    type: Literal["enabled", "disabled", "adaptive", "auto"] = "enabled"
    budget_tokens: int | None = None


class StreamOptions(_Known):
    """What a stream holds besides."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Request(msgspec.Struct, kw_only=True):
    """The body. What it does not know are the caller's extras."""

    messages: list[Message]
    model: str = ""
    tools: list[Raw] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionTool] | None = None
    function_call: str | Named | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    thinking: ThinkingSwitch | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    modalities: list[str] | None = None
    audio: Raw = NULL
    prediction: Raw = NULL
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None
    store: Any = None
