"""Half a surrogate pair passes in the text it came in; everything else is read as the decoder reads it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.json_object import decode_object, repeated_name, tolerant, without_halves

HIGH, LOW = r"\ud83d", r"\uDe80"
JSON_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | JSON_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(
    value=st.dictionaries(st.text(max_size=8), JSON, max_size=5),
    indent=st.none() | st.integers(0, 3),
    item=st.sampled_from([",", " , ", "\n,\t"]),
)
def test_every_value_keeps_its_text_and_place(value: dict[str, object], indent: int | None, item: str) -> None:
    body = json.dumps(value, indent=indent, separators=(item, " : ")).encode()
    fields = decode_object(body)
    assert list(fields) == list(value)
    for name, raw in fields.items():
        assert bytes(raw) in body
        assert json.loads(bytes(raw)) == value[name]


@given(
    value=st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=5),
    indent=st.none() | st.integers(0, 3),
    separators=st.sampled_from([(",", ":"), (", ", ": "), ("\n,\t", " :")]),
    data=st.data(),
)
def test_a_name_that_is_there_twice_is_found_wherever_it_stands_and_no_other(
    value: dict[str, object], indent: int | None, separators: tuple[str, str], data: st.DataObject
) -> None:
    body = json.dumps(value, indent=indent, separators=separators).encode()
    assert repeated_name(body, decode_object(body)) is None
    name = data.draw(st.sampled_from(list(value)))
    again = separators[1].join((json.dumps(name), json.dumps(data.draw(st.just(value[name]) | st.integers()))))
    members = [separators[1].join(map(json.dumps, member)) for member in value.items()]
    members.insert(data.draw(st.integers(0, len(members))), again)
    twice = f"{{{separators[0].join(members)}}}".encode()
    try:
        fields = decode_object(twice)
    except msgspec.DecodeError:  # it holds half a surrogate pair as well, and is refused for both
        return
    assert repeated_name(twice, fields) == name


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (HIGH, r"\ufffd"),
        (LOW, r"\ufffd"),
        (HIGH + LOW, HIGH + LOW),
        (LOW + HIGH, r"\ufffd\ufffd"),
        (HIGH + HIGH + LOW, r"\ufffd" + HIGH + LOW),
        (HIGH + LOW + LOW, HIGH + LOW + r"\ufffd"),
        ("\\\\" + "ud83d", "\\\\" + "ud83d"),
        ("\\\\" + HIGH, "\\\\" + r"\ufffd"),
        ("\\\\" + "ud83d" + LOW, "\\\\" + "ud83d" + r"\ufffd"),
        (r"\n" + HIGH + r"\"", r"\n\ufffd\""),
        (r"\u0041", r"\u0041"),
    ],
)
def test_halves_and_nothing_else_are_replaced(text: str, read: str) -> None:
    original = f'{{"a":"{text}"}}'.encode()
    assert without_halves(original) == f'{{"a":"{read}"}}'.encode()
    assert bytes(decode_object(original)["a"]) == f'"{text}"'.encode()


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a":"\ud83d"',
        rb'{"a":"\ud83d"} x',
        rb'{"a":"\ud83d","b":"\q"}',
        rb'{"a":"\ud83d\u00zz"}',
        rb'["\ud83d"]',
        rb'{"\ud83d":1}',
        rb'{"a":"\ud83d","a":1}',
        rb'{"a":1,"b":2,"a":"\ud83d"}',
        rb'{"a":"\ud83d","b":1,"b":1}',
    ],
)
def test_what_cannot_be_passed_on_soundly_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_object(body)


def test_a_decoder_made_tolerant_still_refuses_what_is_no_json() -> None:
    decode = tolerant(msgspec.json.Decoder(list[str]).decode)
    assert decode(rb'["\ud83d\ude80 \ud83d"]') == ["🚀 �"]
    with pytest.raises(msgspec.DecodeError):
        decode(rb'["\ud83d", 1]')
