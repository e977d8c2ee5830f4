"""The OpenAI dialect: whatever is sent gives a call or an error in words, and every field keeps its own text."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.api.dialects import openai
from tollway.constants import TAG_NAME_MAX_CHARS, TAG_VALUE_MAX_CHARS, TAGS_MAX
from tollway.errors import InvalidRequestError, MalformedBodyError, ModelNotFoundError
from tollway.providers.openai_compatible.request import build_body
from tollway.routing.call import Call

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KNOWN = ("model", "messages", "stream", "stream_options", "metadata", "user", "safety_identifier", "temperature")
bodies = st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=10), values, max_size=8)


def parse(body: bytes | dict[str, Any], *, tags: str = "") -> Call:
    sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return openai.parse(sent, surface="chat", required=("messages",), tags_header=tags)


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "openai/gpt-4o", "messages": [], **fields}


def raw_fields(body: bytes) -> list[tuple[str, bytes]]:
    return [(name, bytes(raw)) for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()]


def understood(body: bytes | dict[str, Any], tags: str = "") -> Call | None:
    """The call, or None where it was refused; nothing else may happen. What was understood can also be sent on."""
    try:
        call = parse(body, tags=tags)
    except InvalidRequestError as error:
        openai.error_body(error)
        return None
    build_body(call, model="another", ask_for_usage=True)
    return call


@given(st.binary(max_size=200))
def test_no_bytes_are_a_fault_of_the_server(body: bytes) -> None:
    understood(body)


@given(st.binary(max_size=60), st.sampled_from(KNOWN))
def test_no_value_of_a_known_field_is_a_fault_of_the_server(value: bytes, name: str) -> None:
    understood(b'{"messages":[],"model":"a/b","%b":%b}' % (name.encode(), value))


@given(bodies, st.text(max_size=40))
def test_no_object_is_a_fault_of_the_server(body: dict[str, Any], tags: str) -> None:
    understood(body, tags)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"model":"a/b","messages":' + b"[" * 100_000])
def test_a_body_that_nests_without_end_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"{}{}",
        b'{"a":NaN}',
        b"{'a':1}",
        b'{"messages":"\xff"}',
        b'{"\xff":1}',
        b"\x00",
    ],
)
def test_what_is_not_a_json_object_in_utf_8_is_refused_as_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse(body)


@given(bodies, st.integers(0, 1))
def test_every_field_keeps_its_text_and_its_place_on_the_way_to_the_provider(body: dict[str, Any], usage: int) -> None:
    sent = json.dumps(asked() | body | asked(stream=bool(usage)), ensure_ascii=True, indent=1).encode()
    call = understood(sent)
    if call is None:
        return
    before, after = raw_fields(sent), raw_fields(build_body(call, model="gpt-4o", ask_for_usage=bool(usage)))
    changed = {"model", "stream_options"} if usage else {"model"}
    assert [each for each in after if each[0] not in changed] == [each for each in before if each[0] not in changed]
    assert dict(after)["model"] == b'"gpt-4o"'
    names = [name for name, _ in before]
    assert [name for name, _ in after] == names + ["stream_options"] * (usage and "stream_options" not in names)


def test_a_body_that_needs_no_change_is_sent_as_the_same_bytes() -> None:
    body = b'{ "model" : "a/b",  "messages":[], "x":{"a":1,"a":2} , "n": 1.50 }'
    assert build_body(parse(body), model="a/b", ask_for_usage=False) is body


def test_usage_is_asked_for_beside_the_caller_s_own_options() -> None:
    call = parse(asked(stream=True, stream_options={"x": 1.50, "include_usage": False}))
    sent = json.loads(build_body(call, model="m", ask_for_usage=True))
    assert sent["stream_options"] == {"x": 1.5, "include_usage": True}


@pytest.mark.parametrize("model", ["", None, 1, [], {}, "x" * 513, "a\nb", "a\x00", "a\u200b"])
def test_a_model_that_cannot_be_one_is_named_as_the_fault(model: object) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        parse({"model": model, "messages": []})
    assert raised.value.param == "model"


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        parse({key: value for key, value in asked().items() if key != name})
    assert raised.value.param == name


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), (None, False)])
def test_a_stream_is_what_was_asked_for(value: object, expected: object) -> None:
    assert parse(asked(stream=value)).stream is expected


@pytest.mark.parametrize("value", [1, 0, "true", [], {}])
def test_a_stream_that_is_neither_true_nor_false_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError):
        parse(asked(stream=value))


def test_the_end_user_is_taken_from_either_field() -> None:
    assert parse(asked(user="ann")).user_tag == "ann"
    assert parse(asked(user="ann", safety_identifier="bob")).user_tag == "bob"
    assert parse(asked(user="a\x00nn")).user_tag == "ann"
    assert parse(asked(user=7)).user_tag == ""


@pytest.mark.parametrize("name", ["tollway.shadow", "tollway.batch", "tollway\x00.shadow"])
def test_nobody_gives_a_request_a_tag_of_tollways_own(name: str) -> None:
    for body, tags in ((asked(metadata={name: "x"}), ""), (asked(), f"team=a,{name}=x")):
        with pytest.raises(InvalidRequestError, match="own"):
            parse(body, tags=tags)


def test_tags_come_from_the_metadata_and_from_the_header() -> None:
    call = parse(asked(metadata={"team": "a", "n": 1, "x": None}), tags=" env=prod , team=b,")
    assert call.tags == (("env", "prod"), ("team", "b"))


@pytest.mark.parametrize("metadata", [[], "x", 1, None])
def test_metadata_of_another_kind_is_the_provider_s_to_judge(metadata: object) -> None:
    assert parse(asked(metadata=metadata)).tags == ()


@pytest.mark.parametrize(
    "tags",
    [
        {str(number): "x" for number in range(TAGS_MAX + 1)},
        {"n" * (TAG_NAME_MAX_CHARS + 1): "x"},
        {"n": "x" * (TAG_VALUE_MAX_CHARS + 1)},
    ],
)
def test_tags_are_bounded(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError):
        parse(asked(metadata=tags))


@pytest.mark.parametrize("header", ["a", "=b", "a=b,c"])
def test_a_header_that_is_no_list_of_tags_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse(asked(), tags=header)


def test_an_error_is_told_in_openai_s_envelope() -> None:
    error = ModelNotFoundError("No such model.", next_step="Look.", param="model")
    expected = {
        "message": "No such model. Look.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert json.loads(openai.error_body(error)) == {"error": expected}
    event = openai.error_event(error)
    assert event == b"data: " + openai.error_body(error) + b"\n\n"
