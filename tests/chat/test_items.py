"""Items of dialogues: their ids, how they are listed, what goes together when the oldest are left out."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tollway.chat.items import id_of, is_instruction, items_of, joined, referred, shown, unit_end
from tollway.chat.turn import Turn, item_ids_of, items_by_id, outline_of, packed, unpacked
from tollway.errors import InvalidRequestError
from tollway.services.inference.fair_thread import FairThread
from tollway.services.inference.truncation import fit

COUNT = partial(FairThread("count").run, "acme")
EVERYTHING = frozenset({"reasoning.encrypted_content", "message.output_text.logprobs"})


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def call(id_: str) -> Raw:
    return raw({"type": "function_call", "call_id": id_, "name": "f", "arguments": "{}"})


def result(id_: str) -> Raw:
    return raw({"type": "function_call_output", "call_id": id_, "output": "x"})


def said(text: str, role: str = "user") -> Raw:
    return raw({"role": role, "content": text})


def test_a_text_is_a_message_of_the_user() -> None:
    (item,) = items_of(raw("hi"))
    assert json.loads(bytes(item)) == {"type": "message", "role": "user", "content": "hi"}
    assert items_of(None) == items_of(raw(None)) == []


@pytest.mark.parametrize("value", [5, {"role": "user"}, ["a"], [None], [[1]]])
def test_what_is_no_list_of_objects_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError):
        items_of(raw(value))


def test_an_item_without_an_id_gets_one_from_its_place() -> None:
    assert id_of(raw({"id": "msg_1"}), "a") == "msg_1"
    assert id_of(said("a"), "r1:0") == id_of(said("b"), "r1:0") != id_of(said("a"), "r1:1")
    assert id_of(call("c"), "p").startswith("fc_")
    assert id_of(raw({"id": "a\x00b"}), "p").startswith("msg_")


def test_items_are_listed_as_openai_lists_them() -> None:
    assert shown(said("hi"), "msg_1", frozenset()) == {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": Raw(b'"user"'),
        "content": [{"type": "input_text", "text": Raw(b'"hi"')}],
    }
    thoughts = raw({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"})
    assert "encrypted_content" not in shown(thoughts, "rs_1", frozenset())
    assert "encrypted_content" in shown(thoughts, "rs_1", EVERYTHING)
    text = raw({"role": "assistant", "content": [{"type": "output_text", "text": "a", "logprobs": [1]}]})
    assert shown(text, "m", frozenset())["content"] == [{"type": "output_text", "text": "a"}]
    assert b"logprobs" in bytes(shown(text, "m", EVERYTHING)["content"])


def test_references_are_found_with_or_without_their_type() -> None:
    items = [said("a"), raw({"type": "item_reference", "id": "msg_1"}), raw({"id": "msg_2"}), call("c")]
    assert referred(items) == {1: "msg_1", 2: "msg_2"}


@pytest.mark.parametrize(
    ("items", "unit"),
    [
        ([said("a"), said("b")], 1),
        ([call("1"), result("1"), said("b")], 2),
        ([call("1"), call("2"), result("2"), result("1"), said("b")], 4),
        ([raw({"type": "reasoning"}), call("1"), result("1"), said("b")], 3),
        ([said("a", "assistant"), result("1"), said("b")], 2),
        ([call("1"), said("b")], 2),
    ],
)
def test_a_call_stays_with_its_result_and_its_thoughts(items: list[Raw], unit: int) -> None:
    assert unit_end(items, 0) == unit
    assert unit_end([said("before"), *items], 1) == unit + 1


class Copied(list[Raw]):
    """Items that know how often a part of them was copied."""

    copies = 0

    def __getitem__(self, place: Any) -> Any:
        self.copies += isinstance(place, slice)
        return super().__getitem__(place)


async def test_what_stays_is_copied_once_and_not_for_each_item_that_is_left_out() -> None:
    items = Copied([said("word " * 20)] * 200)
    kept = await fit(items, COUNT, body_bytes=100_000, context_tokens=2_000, output_tokens=100)
    assert kept is not None
    assert len(kept) < 100
    assert items.copies == 1


async def test_the_oldest_go_first_and_instructions_and_the_last_stay() -> None:
    words = "one two three four five six seven eight nine ten " * 20
    items = [said("Be brief.", "developer"), said(words), call("1"), result("1"), said(words), said("last")]
    size = len(bytes(joined(items)))
    assert await fit(items, COUNT, body_bytes=size, context_tokens=10_000, output_tokens=10) is None
    assert await fit(items, COUNT, body_bytes=size, context_tokens=400, output_tokens=10) == [items[0], *items[2:]]
    assert await fit(items, COUNT, body_bytes=size, context_tokens=200, output_tokens=10) == [items[0], items[-1]]
    assert await fit(items, COUNT, body_bytes=size, context_tokens=20, output_tokens=10) == [items[0], items[-1]]
    assert is_instruction(items[0])


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), max_size=4))
def test_a_turn_is_kept_as_it_came(items: list[dict[str, str]]) -> None:
    response = raw({"id": "r", "status": "completed", "output": items, "prompt": "secret"})
    turn = Turn([raw(item) for item in items], response)
    assert unpacked(packed(turn)) == turn
    assert set(items_by_id("r", turn)) == set(item_ids_of("r", turn))
    assert b"secret" not in outline_of(response)
