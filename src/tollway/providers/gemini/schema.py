"""What stands in a reply of generateContent, and in each event of its stream. Every field is optional on the wire.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from typing import Any

import msgspec
from msgspec import Raw

from tollway.json_object import tolerant, utf8_only

ABSENT = Raw(b"null")


class Blob(msgspec.Struct, rename="camel", gc=False):
    """Bytes in base64."""

    mime_type: str = ""
    data: str = ""
    display_name: str = ""


class FileData(msgspec.Struct, rename="camel", gc=False):
    """Where bytes are."""

    mime_type: str = ""
    file_uri: str = ""
    display_name: str = ""


class FunctionCall(msgspec.Struct, gc=False):
    """A tool that is to be called; `id` only from newer models."""

    name: str = ""
    args: Raw = ABSENT
    id: str | None = None


class WirePart(msgspec.Struct, rename="camel", gc=False):
    """What of a part has a meaning in other formats too."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None


class Content(msgspec.Struct, gc=False):
    """Parts as they came: what is not in `WirePart` is passed on untouched."""

    parts: list[Raw] | None = None


class Candidate(msgspec.Struct, rename="camel", gc=False):
    """One answer, or a piece of it. Some servers give enumerations as numbers."""

    content: Content | None = None
    index: int | None = None
    finish_reason: str | int | None = None
    safety_ratings: Raw = ABSENT
    citation_metadata: Raw = ABSENT
    grounding_metadata: Raw = ABSENT
    url_context_metadata: Raw = ABSENT
    finish_message: str | None = None
    logprobs_result: Raw = ABSENT


class PromptFeedback(msgspec.Struct, rename="camel", gc=False):
    """Why the prompt was not answered."""

    block_reason: str | int | None = None
    block_reason_message: str | None = None
    safety_ratings: Raw = ABSENT


class Response(msgspec.Struct, rename="camel", gc=False):
    """A reply, or one event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Raw = ABSENT
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    error: Any = None


decode_response = tolerant(utf8_only(msgspec.json.Decoder(Response).decode))
decode_part = tolerant(msgspec.json.Decoder(WirePart).decode)
