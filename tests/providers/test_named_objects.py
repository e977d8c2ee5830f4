"""Objects at providers that requests name: all of them are found, however they are written, and nothing else is."""

import json
from typing import Any

import msgspec
import pytest

from tollway.chat.message import FilePart, ImagePart, Media, Message, TextPart, ToolResultPart
from tollway.chat.request import ChatRequest
from tollway.errors import InvalidRequestError
from tollway.providers.named_objects import NAMED_MAX, may_name, named_addresses, named_by, named_by_line
from tollway.routing.call import Call, Form, Named

PART = {"type": "file", "file": {"file_id": "file-1"}}
TEXT = {"role": "user", "content": "Where does the file_id of a container go, and the vector_store_ids?"}


def call_of(surface: str = "chat", raw: bytes = b"", **fields: Any) -> Call:
    body = raw or json.dumps(fields).encode()
    return Call(surface=surface, model="m", fields=msgspec.json.decode(body, type=dict[str, msgspec.Raw]), body=body)


def found_in(call: Call) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.id, each.param) for each in named_by(call)] if may_name(call) else []


def of_user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "a"}, *parts]}]


NAMING: list[tuple[str, dict[str, Any], list[tuple[str, str, str]]]] = [
    ("chat", {"messages": of_user(PART)}, [("file", "file-1", "messages.0.content.1.file.file_id")]),
    (
        "messages",
        {"messages": of_user({"type": "document", "source": {"type": "file", "file_id": "f"}})},
        [("file", "f", "messages.0.content.1.source.file_id")],
    ),
    (
        "messages",
        {"messages": of_user({"type": "tool_result", "content": [{"type": "image", "source": {"file_id": "f"}}]})},
        [("file", "f", "messages.0.content.1.content.0.source.file_id")],
    ),
    (
        "messages",
        {"messages": of_user({"type": "container_upload", "file_id": "f"})},
        [("file", "f", "messages.0.content.1.file_id")],
    ),
    ("messages", {"messages": [], "container": "c1"}, [("container", "c1", "container")]),
    (
        "messages",
        {
            "messages": [],
            "container": {
                "id": "c1",
                "skills": [{"type": "custom", "skill_id": "s"}, {"type": "anthropic", "skill_id": "pdf"}],
            },
        },
        [("container", "c1", "container.id"), ("skill", "s", "container.skills.0.skill_id")],
    ),
    (
        "responses",
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        [("file", "f", "input.0.content.0.file_id")],
    ),
    (
        "responses",
        {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "file_id": "f"}]}]},
        [("file", "f", "input.0.output.0.file_id")],
    ),
    (
        "responses",
        {"input": "a", "tools": [{"type": "file_search", "vector_store_ids": ["v1", "v2"]}]},
        [("vector store", "v1", "tools.0.vector_store_ids.0"), ("vector store", "v2", "tools.0.vector_store_ids.1")],
    ),
    (
        "responses",
        {"input": "a", "tools": [{"type": "collections_search", "collection_ids": ["c"]}, {"library_ids": ["l"]}]},
        [("collection", "c", "tools.0.collection_ids.0"), ("library", "l", "tools.1.library_ids.0")],
    ),
    ("compact", {"input": [{"type": "item_reference", "id": "msg_1"}]}, [("item", "msg_1", "input.0.id")]),
    (
        "responses",
        {"input": "a", "tools": [{"type": "code_interpreter", "container": "c1"}]},
        [("container", "c1", "tools.0.container")],
    ),
    (
        "responses",
        {"input": "a", "tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}}]},
        [("file", "f", "tools.0.container.file_ids.0")],
    ),
    (
        "responses",
        {"input": [{"type": "code_interpreter_call", "container_id": "c"}], "tools": [{"type": "code_interpreter"}]},
        [("container", "c", "input.0.container_id")],
    ),
    ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, [("item", "msg_1", "input.0.id")]),
    (
        "responses",
        {"input": [{"type": "image_generation_call", "id": "ig_1"}], "tools": [{"type": "image_generation"}]},
        [("item", "ig_1", "input.0.id")],
    ),
    (
        "responses",
        {"input": "a", "tools": [{"type": "image_generation", "input_image_mask": {"file_id": "f"}}]},
        [("file", "f", "tools.0.input_image_mask.file_id")],
    ),
    (
        "responses",
        {"prompt": {"id": "pmpt_1", "variables": {"doc": {"type": "input_file", "file_id": "f"}}}},
        [("stored prompt", "pmpt_1", "prompt.id"), ("file", "f", "prompt.variables.doc.file_id")],
    ),
    (
        "chat",
        {"messages": [], "previous_response_id": "r", "conversation": {"id": "c"}},
        [("response", "r", "previous_response_id"), ("conversation", "c", "conversation.id")],
    ),
    (
        "chat",
        {"messages": [], "cachedContent": "cachedContents/1"},
        [("cached prompt", "cachedContents/1", "cachedContent")],
    ),
    (
        "chat",
        {"messages": [], "extra_body": {"google": {"cached_content": "c"}}},
        [("cached prompt", "c", "extra_body.google.cached_content")],
    ),
    (
        "chat",
        {"messages": [], "tool_resources": {"file_search": {"vector_store_ids": ["v"]}}},
        [("vector store", "v", "tool_resources.file_search.vector_store_ids.0")],
    ),
    (
        "chat",
        {"messages": [TEXT, {"role": "assistant", "audio": {"id": "audio_1"}}], "modalities": ["text", "audio"]},
        [("spoken answer", "audio_1", "messages.1.audio.id")],
    ),
    ("chat", {"messages": [], "data_sources": [{"type": "azure_search"}]}, [("data source", "", "data_sources")]),
    (
        "image_edits",
        {"images": [{"file_id": "f"}], "mask": {"file_id": "m"}},
        [("file", "f", "images.0.file_id"), ("file", "m", "mask.file_id")],
    ),
]


@pytest.mark.parametrize(("surface", "fields", "named"), NAMING)
def test_what_is_named_is_found_with_its_place(
    surface: str, fields: dict[str, Any], named: list[tuple[str, str, str]]
) -> None:
    assert found_in(call_of(surface, **fields)) == named


@pytest.mark.parametrize(("surface", "fields", "named"), NAMING)
def test_what_is_named_in_escapes_is_found_as_well(
    surface: str, fields: dict[str, Any], named: list[tuple[str, str, str]]
) -> None:
    def escaped(letter: str) -> str:
        return f"\\u{ord(letter):04x}" if letter.isascii() and (letter.isalpha() or letter == "_") else letter

    plain = json.dumps(fields)
    written = plain.translate({ord(letter): escaped(letter) for letter in "abcdefghijklmnopqrstuvwxyz_" if letter})
    for word in ("true", "false", "null"):
        written = written.replace("".join(map(escaped, word)), word)
    assert found_in(call_of(surface, written.encode())) == named


@pytest.mark.parametrize(
    ("surface", "fields"),
    [
        ("chat", {"messages": [TEXT]}),
        ("chat", {"messages": [TEXT], "metadata": {"file_id": "mine", "container": "c"}}),
        (
            "chat",
            {
                "messages": [TEXT],
                "tools": [
                    {
                        "function": {
                            "parameters": {
                                "properties": {"file_id": {"type": "string"}},
                                "required": ["file_id"],
                                "examples": [{"file_id": "x"}],
                            }
                        }
                    }
                ],
            },
        ),
        (
            "chat",
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"function": {"arguments": '{"file_id": "x", "container": "y"}'}}],
                    }
                ]
            },
        ),
        ("chat", {"messages": [TEXT], "response_format": {"json_schema": {"schema": {"enum": [{"file_id": "x"}]}}}}),
        (
            "messages",
            {
                "messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": {"file_id": "x"}}]}, TEXT],
                "tools": [{"input_schema": {"default": {"file_id": "x"}}}],
            },
        ),
        (
            "responses",
            {
                "input": [
                    {
                        "type": "message",
                        "content": [
                            {
                                "type": "output_text",
                                "text": "a",
                                "annotations": [
                                    {"type": "container_file_citation", "file_id": "x", "container_id": "c"}
                                ],
                            }
                        ],
                    }
                ]
            },
        ),
        (
            "responses",
            {
                "input": "container_id item_reference",
                "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
            },
        ),
        (
            "responses",
            {
                "input": [{"type": "image_generation_call", "id": "i", "result": "iVBO"}],
                "tools": [{"type": "image_generation"}],
            },
        ),
        ("completions", {"prompt": "conversation", "conversation": None}),
        (
            "chat",
            {
                "messages": [{"role": "assistant", "audio": None, "content": "audio"}],
                "modalities": ["audio"],
                "audio": {"voice": "alloy", "format": "wav"},
            },
        ),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": None}}]}]}),
        ("chat", {"messages": [{"role": "user", "content": "\u00e9\u0001 \\u0066ile_id \\\\u0066"}]}),
    ],
)
def test_what_only_looks_so_names_nothing(surface: str, fields: dict[str, Any]) -> None:
    assert found_in(call_of(surface, **fields)) == []


@pytest.mark.parametrize(
    "twice",
    [
        b'{"messages": [{"content": [{"file_id": "theirs", "file_id": "mine"}]}]}',
        b'{"messages": [{"content": [{"file": {"file_id": "theirs"}, "file": {}}]}]}',
        b'{"messages": [{"content": [{"file": {"f\\u0069le_id": "theirs"}, "file": {"file_id": "mine"}}]}]}',
        b'{"messages": [], "container": "theirs", "container": null}',
        b'{"messages": [{"file_id": "theirs"}], "messages": []}',
        b'{"messages": [{"audio": {"id": "theirs"}, "audio": null}]}',
    ],
)
def test_a_member_that_is_there_twice_hides_nothing(twice: bytes) -> None:
    call = call_of(raw=twice)
    assert may_name(call)
    with pytest.raises(InvalidRequestError):
        named_by(call)


def test_most_requests_are_not_looked_into() -> None:
    assert not may_name(call_of(messages=[{"role": "user", "content": "A question, and an é."}], tools=[{"type": "x"}]))
    assert not may_name(call_of("responses", input="A question.", tools=[{"type": "function", "name": "f"}]))
    assert not may_name(call_of("completions", prompt="A question."))


def test_a_form_names_files_by_the_names_of_its_fields() -> None:
    form = Form("multipart/form-data", (0, 0), (), 0)
    fields = {"images[0][file_id]": msgspec.Raw(b'"file-1"'), "prompt": msgspec.Raw(b'"a file_id"')}
    call = Call(surface="image_edits", model="m", fields=fields, body=b"", form=form)
    assert (may_name(call), named_by(call)) == (True, (Named("file", "file-1", "images[0][file_id]"),))
    del fields["images[0][file_id]"]
    assert not may_name(call)


def test_what_no_provider_could_need_is_refused() -> None:
    many = call_of(messages=of_user(*[PART] * (NAMED_MAX + 1)))
    deep = call_of(raw=b'{"a":' + b"[" * 100 + b'{"file_id": "x"}' + b"]" * 100 + b"}")
    for call in (many, deep):
        with pytest.raises(InvalidRequestError):
            named_by(call)


def test_the_lines_of_a_batch_are_requests_as_well() -> None:
    line = {"custom_id": "container", "method": "POST", "url": "/v1/responses", "body": {"messages": of_user(PART)}}
    assert [each.param for each in named_by_line(json.dumps(line).encode())] == [
        "body.messages.0.content.1.file.file_id"
    ]
    line["body"] = {"input": "a conversation", "previous_response_id": "r", "prompt": {"id": "p"}}
    assert [each.id for each in named_by_line(json.dumps(line).encode())] == ["r", "p"]
    assert named_by_line(b'{"custom_id": "file_id", "body": {"model": "m"}}') == ()
    assert [each.id for each in named_by_line(b'{"b\\u006fdy": {"conversation": "c"}}')] == ["c"]
    for broken in (b"[]", b"\x00\xff", b'{"a": "\xff"}', b"{", b'{"body": {"file_id": 1}, "body": {}}', b"[" * 100_000):
        with pytest.raises(InvalidRequestError):
            named_by_line(broken)


def test_addresses_that_are_read_as_the_operator_name_objects() -> None:
    theirs = ["gs://b/a.pdf", " S3://b/a.pdf", "https://generativelanguage.googleapis.com/v1beta/files/abc", "gs://["]
    public = ["https://example.com/gs://a", "data:image/png;base64,AA", "https://storage.example/a.png"]
    parts = tuple(FilePart(media=Media("url", url)) for url in theirs + public)
    result = ToolResultPart(call_id="a", parts=(ImagePart(media=Media("url", "s3://in/a/result")),))
    chat = ChatRequest(source="openai", messages=(Message("user", (TextPart(text="gs://a"), *parts, result)),))
    assert [each.id for each in named_addresses(chat)] == [*theirs, "s3://in/a/result"]
