"""What of a chat completion a server of the OpenAI format takes: one value for each kind of server, data only.

A translated request holds nothing else: what a server would refuse or ignore is reported as a loss instead.
"""

from typing import Literal

import msgspec

SAMPLING = frozenset({"temperature", "top_p", "stop", "presence_penalty", "frequency_penalty"})
"""What nearly all servers take."""


class ChatForm(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of server. What is not stated it does not take.

    Attributes:
        fields: optional fields at the top level, by OpenAI's names (and ``top_k``, ``min_p``).
        media: kinds of input besides text: ``image`` (base64), ``image_url``, ``audio``, ``file`` (base64),
            ``file_id``, ``file_url``.
        formats: of the answer, besides text: ``json_object``, ``json_schema``.
        tools, custom_tools: whether it calls functions; whether it calls tools that take free text.
        tool_choice: whether it heeds which tools may be called, and must be.
        developer: whether it knows the role ``developer``; else such a message is a ``system`` message.
        names: whether messages may name their speaker.
        thoughts: how thoughts of earlier answers go back to it: in a field of the message, as ``parts`` of its content,
            or not at all.
        reasoning: how it is told how much to think: by ``reasoning_effort``, by a ``reasoning`` object (OpenRouter), by
            a ``thinking`` object, or not at all.
        efforts: the efforts it knows, from the least to the most.
        cache_marks: whether parts and tools may have a ``cache_control``.
        seed_field, user_field: the names of these fields, ``a.b`` for a member of an object; an empty one for none.
        any_tool: how it is told that some tool must be called.
        plain_parts: whether an image and a sound stand in their part without an object around them (Mistral).
        signed_calls: whether signatures of tool calls go back in ``extra_content`` (Google).
    """

    fields: frozenset[str] = SAMPLING
    media: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset({"json_object", "json_schema"})
    tools: bool = True
    custom_tools: bool = False
    tool_choice: bool = True
    developer: bool = False
    names: bool = True
    thoughts: Literal["", "reasoning_content", "reasoning", "reasoning_details", "parts"] = ""
    reasoning: Literal["", "reasoning_effort", "reasoning", "thinking"] = ""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    cache_marks: bool = False
    seed_field: str = "seed"
    user_field: str = "user"
    any_tool: str = "required"
    plain_parts: bool = False
    signed_calls: bool = False


IMAGES = frozenset({"image", "image_url"})
ALL_FIELDS = SAMPLING | {
    *("seed", "logit_bias", "n", "logprobs", "service_tier", "verbosity", "parallel_tool_calls", "modalities"),
    *("prediction", "metadata"),
}
"""All of OpenAI's own."""

OPENAI_FORM = ChatForm(
    fields=ALL_FIELDS,
    media=IMAGES | {"audio", "file", "file_id"},
    custom_tools=True,
    developer=True,
    reasoning="reasoning_effort",
    efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
)
"""https://platform.openai.com/docs/api-reference/chat/create"""

ANY_FORM = ChatForm(
    fields=ALL_FIELDS - {"verbosity", "metadata", "prediction"} | {"top_k", "min_p"},
    media=IMAGES | {"audio", "file"},
    reasoning="reasoning_effort",
    thoughts="reasoning_content",
)
"""Of a server that is not known: what open-source servers take (vLLM, llama.cpp, SGLang). They refuse by name, or leave
out, what they do not know."""
