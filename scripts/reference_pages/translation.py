"""The table of what every pair of a caller's dialect and a provider's format carries, made by trying it."""

import json
from typing import Any

from reference_pages.tables import table
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.errors import TollwayError
from tollway.providers.adapters import adapter_for
from tollway.providers.registry import REGISTRY, ProviderSpec
from tollway.routing.call import Surface
from tollway.routing.catalog import Deployment

FORMATS = {
    "OpenAI and alike": ("openai", "gpt-5-mini"),
    "Anthropic": ("anthropic", "claude-sonnet-4-5"),
    "Gemini, Vertex": ("gemini", "gemini-2.5-flash"),
    "Bedrock": ("bedrock", "anthropic.claude-sonnet-4-5-v1:0"),
    "Cohere": ("cohere", "command-a-03-2025"),
}
"""Column → row of the registry and a model of it."""
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
_PDF = "data:application/pdf;base64,JVBERg=="
_SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
_NOT_SAID = "no"


def _user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def _items(*items: dict[str, Any]) -> dict[str, Any]:
    return {"input": list(items)}


def _input(*parts: dict[str, Any]) -> dict[str, Any]:
    return _items({"type": "message", "role": "user", "content": list(parts)})


def _chat_tool(**more: object) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": _SCHEMA}}], **more}


def _messages_tool(**more: object) -> dict[str, Any]:
    return {"tools": [{"name": "f", "input_schema": _SCHEMA}], **more}


def _responses_tool(**more: object) -> dict[str, Any]:
    return {"tools": [{"type": "function", "name": "f", "parameters": _SCHEMA, "strict": False}], **more}


_CHAT_LOOP = [
    {"role": "user", "content": "a"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "b"},
]
_MESSAGES_LOOP = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "b"}]},
]
_RESPONSES_LOOP = (
    {"type": "message", "role": "user", "content": "a"},
    {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "1", "output": "b"},
)

FEATURES: dict[str, dict[str, dict[str, Any] | None]] = {
    "text, system prompt, several turns": {
        "chat": {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]},
        "messages": {"system": "s", "messages": [{"role": "user", "content": "a"}]},
        "responses": {"instructions": "s", "input": "a"},
    },
    "streaming": {"chat": {"stream": True}, "messages": {"stream": True}, "responses": {"stream": True}},
    "image in the request": {
        "chat": _user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}),
        "messages": _user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PIXEL}}),
        "responses": _input({"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{_PIXEL}"}),
    },
    "image by URL": {
        "chat": _user({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        "messages": _user({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}),
        "responses": _input({"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"}),
    },
    "audio": {
        "chat": _user({"type": "input_audio", "input_audio": {"data": _PIXEL, "format": "wav"}}),
        "messages": None,
        "responses": _input({"type": "input_audio", "input_audio": {"data": _PIXEL, "format": "wav"}}),
    },
    "PDF in the request": {
        "chat": _user({"type": "file", "file": {"filename": "a.pdf", "file_data": _PDF}}),
        "messages": _user(
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}
        ),
        "responses": _input({"type": "input_file", "filename": "a.pdf", "file_data": _PDF}),
    },
    "tools": {"chat": _chat_tool(), "messages": _messages_tool(), "responses": _responses_tool()},
    "tool results": {
        "chat": _chat_tool(messages=_CHAT_LOOP),
        "messages": _messages_tool(messages=_MESSAGES_LOOP),
        "responses": _responses_tool(**_items(*_RESPONSES_LOOP)),
    },
    "a certain tool forced": {
        "chat": _chat_tool(tool_choice={"type": "function", "function": {"name": "f"}}),
        "messages": _messages_tool(tool_choice={"type": "tool", "name": "f"}),
        "responses": _responses_tool(tool_choice={"type": "function", "name": "f"}),
    },
    "one tool call at a time": {
        "chat": _chat_tool(parallel_tool_calls=False),
        "messages": _messages_tool(tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        "responses": _responses_tool(parallel_tool_calls=False),
    },
    "structured output": {
        "chat": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": _SCHEMA, "strict": True}}
        },
        "messages": {"output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}}},
        "responses": {"text": {"format": {"type": "json_schema", "name": "a", "schema": _SCHEMA, "strict": True}}},
    },
    "any JSON": {
        "chat": {"response_format": {"type": "json_object"}},
        "messages": None,
        "responses": {"text": {"format": {"type": "json_object"}}},
    },
    "reasoning": {
        "chat": {"reasoning_effort": "high"},
        "messages": {"thinking": {"type": "enabled", "budget_tokens": 2_048}, "max_tokens": 9_000},
        "responses": {"reasoning": {"effort": "high"}},
    },
    "prompt cache marks": {
        "chat": None,
        "messages": _user({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}),
        "responses": None,
    },
    "stop sequences": {"chat": {"stop": ["x"]}, "messages": {"stop_sequences": ["x"]}, "responses": None},
    "temperature, top_p": {
        "chat": {"temperature": 0.5, "top_p": 0.9},
        "messages": {"temperature": 0.5, "top_p": 0.9},
        "responses": {"temperature": 0.5, "top_p": 0.9},
    },
    "top_k": {"chat": None, "messages": {"top_k": 5}, "responses": None},
    "seed": {"chat": {"seed": 7}, "messages": None, "responses": None},
    "penalties": {"chat": {"presence_penalty": 0.5, "frequency_penalty": 0.5}, "messages": None, "responses": None},
    "several answers (n)": {"chat": {"n": 2}, "messages": None, "responses": None},
    "logprobs": {
        "chat": {"logprobs": True, "top_logprobs": 2},
        "messages": None,
        "responses": {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    },
    "end user": {
        "chat": {"safety_identifier": "u"},
        "messages": {"metadata": {"user_id": "u"}},
        "responses": {"safety_identifier": "u"},
    },
    "a tool that the provider runs": {
        "chat": {"web_search_options": {}},
        "messages": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "responses": {"tools": [{"type": "web_search"}]},
    },
    "a field that nobody knows": {
        "chat": {"brand_new": 1},
        "messages": {"brand_new": 1},
        "responses": {"brand_new": 1},
    },
}
"""Feature → surface → the fields that ask for it; ``None`` where the dialect has no words for it."""
_BASES: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "a"}]},
    "messages": {"messages": [{"role": "user", "content": "a"}], "max_tokens": 500},
    "responses": {"input": "a", "store": False},
}
_TITLES = {
    "chat": "`/v1/chat/completions`",
    "messages": "`/v1/messages`",
    "responses": "`/v1/responses`",
}


def translation_tables() -> str:
    """One table for each dialect: features by formats."""
    surfaces = {surface.name: surface for surface in SURFACES.values()}
    return "\n\n".join(f"### {_TITLES[name]}\n\n{_table(surfaces[name])}" for name in _BASES)


def _table(surface: Surface) -> str:
    rows = []
    for feature, bodies in FEATURES.items():
        fields = bodies[surface.name]
        if fields is not None:
            body = json.dumps({"model": "p/m"} | _BASES[surface.name] | fields).encode()
            rows.append((feature, *(held(surface, body, *each) for each in FORMATS.values())))
    return table(("", *FORMATS), rows)


def held(surface: Surface, body: bytes, row: str, model: str) -> str:
    """What becomes of a request: its bytes pass, it is translated, or it is refused with the name of a field."""
    spec = REGISTRY[row]
    dialect = DIALECTS[surface.dialect]
    try:
        call = dialect.parse(body, surface=surface, headers={})
        adapter = adapter_for(surface, dialect, spec, call, model=model, provider=row, drop=False)
        if not adapter.translates:
            return "as it is"
        adapter.build_request(call, surface=surface, deployment=_deployment(spec), spec=spec, model=model)
    except TollwayError as error:
        return f"no: `{error.param}`" if error.param else _NOT_SAID
    return "yes"


def _deployment(spec: ProviderSpec) -> Deployment:
    options = {"region": "eu-central-1", "project": "p", "location": "global"}
    return Deployment(
        name=spec.name,
        spec=spec.name,
        base_url=spec.base_url or "https://provider.example",
        credential="secret",
        price_provider=spec.price_provider,
        options=options,
    )
