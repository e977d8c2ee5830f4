"""What a request needs, its size and its conversation, read off its bytes."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.json_object import decode_object
from tollway.routing.call import Call, Recalled
from tollway.routing.needs import needs_of, prompt_tokens, sticky_key
from tollway.routing.route import Capability, Sticky


def call(body: dict[str, Any], **fields: Any) -> Call:
    encoded = json.dumps(body).encode()
    return Call("chat", "m", decode_object(encoded), encoded, **fields)


def user(*parts: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({"messages": []}, set()),
        ({"tools": [{"type": "function"}]}, {Capability.TOOLS}),
        ({"tools": [], "functions": None, "parallel_tool_calls": False}, set()),
        ({"parallel_tool_calls": True}, {Capability.PARALLEL_TOOLS}),
        ({"response_format": {"type": "json_schema"}}, {Capability.STRUCTURED}),
        ({"response_format": {"type": "text"}}, set()),
        ({"text": {"format": {"type": "json_schema"}}}, {Capability.STRUCTURED}),
        ({"reasoning_effort": "low"}, {Capability.REASONING}),
        ({"thinking": {"type": "enabled"}}, {Capability.REASONING}),
        (user({"type": "image_url", "image_url": {}}), {Capability.IMAGES}),
        (user({"type": "input_audio"}), {Capability.AUDIO}),
        (user({"type": "document"}), {Capability.FILES}),
        (user({"type": "text", "text": 'an "image" in words'}), set()),
    ],
)
def test_needs_are_read_off_the_fields(body: dict[str, Any], needs: set[Capability]) -> None:
    assert needs_of(call(body)) == needs
    assert needs_of(call(body, stream=True)) == needs | {Capability.STREAMING}


def test_an_image_in_a_prompt_is_not_counted_as_text() -> None:
    image = base64.b64encode(bytes(400_000)).decode()
    body = user({"type": "text", "text": "word " * 4_000}, {"type": "image_url", "image_url": {"url": image}})
    assert 4_900 < prompt_tokens(call(body)) < 5_200


def key_of(body: dict[str, Any], sticky: Sticky = Sticky.CONVERSATION, **fields: Any) -> str:
    return sticky_key(call(body, **fields), sticky, project_id="web", key_id="key")


@given(st.text(), st.lists(st.text(), min_size=1, max_size=6), st.text())
def test_every_turn_of_a_conversation_has_the_same_key(system: str, turns: list[str], other: str) -> None:
    messages = [{"role": "system", "content": system}, *[{"role": "user", "content": turn} for turn in turns]]
    found = {key_of({"messages": messages[:length], "temperature": length}) for length in range(2, len(messages) + 1)}
    assert len(found) == 1
    different = [messages[0], {"role": "user", "content": turns[0] + "." + other}]
    assert key_of({"messages": different}) not in found


def test_what_the_caller_names_tells_conversations_users_and_keys_apart() -> None:
    said = {"messages": [{"role": "user", "content": "x"}]}
    assert key_of(said | {"prompt_cache_key": "a"}) == key_of({"messages": [], "prompt_cache_key": "a"})
    assert key_of(said | {"prompt_cache_key": "a"}) != key_of(said | {"prompt_cache_key": "b"})
    assert key_of(said, Sticky.USER, user_tag="ann") != key_of(said, Sticky.USER, user_tag="bob")
    assert key_of(said, Sticky.USER) == key_of(said, Sticky.KEY) == "key"
    assert not key_of(said, Sticky.NONE)
    assert key_of({"prompt": "a text"}) != key_of({"prompt": "another"})


def said(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def test_a_turn_is_of_the_same_conversation_whatever_follows_its_first_words_and_however_they_are_written() -> None:
    mark = {"type": "ephemeral"}
    first = [said("user", "Hello.")]
    later = [*first, said("assistant", "Hi."), said("user", "More.")]
    marked = [said("user", [{"type": "text", "text": "Hello.", "cache_control": mark}])]
    item = {"type": "message", "id": "msg_1", "status": "completed"} | said(
        "user", [{"type": "input_text", "text": "Hello."}]
    )
    turns: list[dict[str, Any]] = [
        {"messages": first},
        {"messages": later},
        {"messages": marked},
        {"input": "Hello."},
        {"input": [item, said("assistant", "Hi."), said("user", "More.")]},
    ]
    assert len({key_of(turn) for turn in turns}) == 1
    assert key_of({"messages": [said("user", "Hello!"), *later[1:]]}) != key_of({"messages": later})
    assert key_of({"messages": first, "system": "Be brief."}) != key_of({"messages": first})
    assert key_of({"messages": first, "system": "Be brief."}) == key_of(
        {"messages": later, "system": [{"type": "text", "text": "Be brief.", "cache_control": mark}]}
    )


def test_a_conversation_that_is_kept_here_is_told_by_its_id() -> None:
    def kept(id_: str, text: str) -> str:
        told = {"conversation": msgspec.Raw(json.dumps({"id": id_}).encode())}
        return key_of({"input": text}, recalled=Recalled(told))

    assert kept("conv_a", "One.") == kept("conv_a", "Two.") != kept("conv_b", "One.")


@pytest.mark.parametrize("prompt", [[1, 2, 3], [[1, 2], [3]], ["a", "b"], 7, {"a": 1}, "x" * 9])
def test_what_is_no_conversation_has_a_key_of_its_own_as_well(prompt: object) -> None:
    assert key_of({"prompt": prompt}) != key_of({"prompt": [2, prompt]})


def test_nesting_without_end_has_a_key() -> None:
    body = b'{"messages": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"
    deep = Call("chat", "m", {"messages": msgspec.Raw(body[13:-1])}, body)
    assert sticky_key(deep, Sticky.CONVERSATION, project_id="web", key_id="key")
