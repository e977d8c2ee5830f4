"""A stand-in model that does what SDKs' own suites expect: calls the tool, fills the schema, else says something."""

import json
from typing import Any

from support.replies import plain, stream
from support.standin import Received, Reply

TEXT = "Certainly, hello! The sky is blue."


def obliging(received: Received) -> Reply:
    """A sensible answer to whatever was asked, plain or streamed."""
    asked: dict[str, Any] = received.json
    form = asked.get("response_format") or {}
    if form.get("type") == "json_schema":
        return _say(received, json.dumps(filled(form["json_schema"]["schema"])))
    if form.get("type") == "json_object":
        return _say(received, json.dumps({"setup": "a", "punchline": "b"}))
    tool = _tool(asked)
    if tool is None:
        return _say(received, TEXT.partition((asked.get("stop") or ["\0"])[0])[0])
    arguments = json.dumps(filled(tool.get("parameters") or {}), ensure_ascii=False)
    return _call(received, tool["name"], arguments)


def _tool(asked: dict[str, Any]) -> dict[str, Any] | None:
    """The tool to call, if one is called for."""
    offered = [tool["function"] for tool in asked.get("tools") or []]
    choice = asked.get("tool_choice")
    if isinstance(choice, dict):
        return next(tool for tool in offered if tool["name"] == choice["function"]["name"])
    if not offered or choice == "none" or asked["messages"][-1]["role"] == "tool":
        return None
    return dict(offered[0])


_VALUES = {"integer": 3, "number": 3, "string": "你好, こんにちは, über", "boolean": True, "null": None}


def filled(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema."""
    root = root if root is not None else schema
    schema = _resolved(schema, root)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "array":
        return [filled(schema.get("items", {}), root)]
    if kind == "object":
        return {name: filled(each, root) for name, each in schema.get("properties", {}).items()}
    return _VALUES[kind]


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Without references and choices."""
    if "$ref" in schema:
        found: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return _resolved(found, root)
    several = next((schema[name] for name in ("anyOf", "oneOf", "allOf") if name in schema), None)
    return _resolved(several[0], root) if several else schema


def _say(received: Received, text: str) -> Reply:
    if received.json.get("stream"):
        thirds = [text[start : start + 7] for start in range(0, len(text), 7)]
        return stream(received, deltas=[{"role": "assistant", "content": ""}, *({"content": part} for part in thirds)])
    return plain(received, message={"role": "assistant", "content": text, "refusal": None})


def _call(received: Received, name: str, arguments: str) -> Reply:
    call = {"id": f"call_{received.serial}", "type": "function", "function": {"name": name, "arguments": arguments}}
    if not received.json.get("stream"):
        return plain(received, message={"role": "assistant", "content": None, "tool_calls": [call]})
    first = call | {"index": 0, "function": {"name": name, "arguments": ""}}
    parts = [arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": [first]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in parts]
    return stream(received, deltas=deltas)
