"""What a provider tells beside its answer reaches callers of every dialect: in the recordings, whole and streamed."""

import base64
import gzip
import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from support.recordings import PATH, available
from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.chat.beside import MEMBER
from tollway.providers.registry import REGISTRY
from tollway.providers.sse import EventSplitter
from tollway.providers.wires import WIRES
from tollway.routing.call import Call

pytestmark = pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")

MARKS = {
    "gemini": ("groundingMetadata", "urlContextMetadata", "executableCode", "codeExecutionResult", "toolCall"),
    "anthropic": (
        *("web_search_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result"),
        *("mcp_tool_use", "server_tool_use", "container"),
    ),
    "openai": ("prompt_filter_results", "moderation", "executed_tools"),
    "bedrock": ("toolResult", "performanceConfig"),
}
"""Wire format → names of what has no form in other dialects and is there in the recordings."""
OWN = {"/v1/chat/completions": {"executed_tools"}}
"""Path → what messages of its dialect have a place for."""
SPECS = {"gemini": "gemini", "anthropic": "anthropic", "openai": "openai", "bedrock": "bedrock"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "a"}]},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    "/v1/responses": {"input": "a"},
}


def format_of(row: dict[str, Any]) -> str:
    endpoint = row["endpoint"]
    if "enerateContent" in endpoint:
        return "gemini"
    if "onverse" in endpoint:
        return "bedrock"
    if endpoint.endswith("/v1/messages"):
        return "anthropic"
    return "openai" if "/chat/completions" in endpoint else ""


@cache
def rows() -> list[tuple[str, dict[str, Any], frozenset[str]]]:
    """Answers that hold some of these names, as members or types, and which."""
    found = []
    with gzip.open(PATH, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            name = format_of(row)
            if row["status"] == 200 and name and any(mark in line for mark in MARKS[name]):
                there = names_in(objects(row)) & set(MARKS[name])
                found.append((name, row, frozenset(there)))
    return found


def objects(row: dict[str, Any]) -> list[Any]:
    """The JSON of a reply, or of all events of a stream."""
    if row["response_events"]:
        return list(row["response_events"])
    if not row["streaming"]:
        return [json.loads(row["response_body"])]
    datas = [data for _, data in EventSplitter().feed(row["response_body"].encode())]
    return [json.loads(data) for data in datas if data != b"[DONE]"]


def names_in(value: Any) -> set[str]:
    """Members that hold something, and types; counts are none."""
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    if not isinstance(value, dict):
        return set()
    inner = [names_in(each) for name, each in value.items() if name != "usage"]
    kind = value.get("type")
    return {name for name, each in value.items() if each and name != "usage"}.union(
        *inner, {kind} if isinstance(kind, str) else set()
    )


def call_of(path: str, *, stream: bool) -> Call:
    surface = SURFACES[path]
    body = json.dumps(BODIES[path] | {"model": "m", "stream": stream}).encode()
    return DIALECTS[surface.dialect].parse(body, surface=surface, headers={})


def told(path: str, name: str, row: dict[str, Any]) -> Counter[str]:
    """How many values the caller finds under each name, whole or streamed as it was recorded."""
    wire, spec = WIRES[name], REGISTRY[SPECS[name]]
    dialect: Any = DIALECTS[SURFACES[path].dialect]
    call = call_of(path, stream=bool(row["streaming"]))
    body = row["response_body"]
    data = base64.b64decode(body) if row["response_body_encoding"] == "base64" else body.encode()
    if not row["streaming"]:
        reply = wire.parse_reply(data, spec=spec)
        return Counter() if reply is None else members(json.loads(dialect.render_reply(reply, call)))
    parser, renderer = wire.stream_parser(spec=spec), dialect.renderer(call)
    out = renderer.feed([*parser.feed(data), *parser.finish()]) + renderer.end()
    splitter = EventSplitter()
    found: Counter[str] = Counter()
    for _, event in splitter.feed(out):
        if event != b"[DONE]":
            found += members(json.loads(event))
    return found


def members(value: Any) -> Counter[str]:
    """The lists of all members of that name, wherever they stand."""
    found: Counter[str] = Counter()
    if isinstance(value, dict):
        for name, inner in value.items():
            found += (
                Counter({kind: len(values) for kind, values in inner.items()}) if name == MEMBER else members(inner)
            )
    elif isinstance(value, list):
        for inner in value:
            found += members(inner)
    return found


@pytest.mark.parametrize("path", BODIES)
def test_what_no_dialect_has_a_form_for_is_told_besides(path: str) -> None:
    seen: Counter[str] = Counter()
    for name, row, there in rows():
        if name == "anthropic" and path == "/v1/messages":
            continue  # blocks of its own
        found = told(path, name, row)
        missing = there - found.keys() - OWN.get(path, set())
        assert not missing, (row["source"], row["path"], row["idx"], missing)
        seen += found
    assert seen["groundingMetadata"] == 10
    assert seen["urlContextMetadata"] == 1
