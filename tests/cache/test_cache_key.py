"""Which requests are the same to the response cache."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.cache.control import cache_control
from tollway.cache.key import cache_key
from tollway.json_object import decode_object
from tollway.routing.call import Call

BODY = {"model": "p/m", "messages": [{"role": "user", "content": "Grüezi"}], "temperature": 0.5}


def key(
    body: object = BODY, *, project_id: str = "one", path: str = "/v1/chat/completions", route: str = "p/m"
) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = Call(surface="chat", model="p/m", fields=decode_object(raw), body=raw)
    made = cache_key(call, project_id=project_id, path=path, route=route)
    assert made is not None
    return made


def test_order_and_spelling_make_no_difference() -> None:
    spaced = b'{ "temperature": 5e-1, "messages":[{"content":"Gr\\u00fcezi","role":"user"}],\n"model":"p/m"}'
    assert key(spaced) == key()


@pytest.mark.parametrize(
    "content", ['{"a": 1, "a": 2}', '[{"content": "one", "c\\u006fntent": "two"}]', '"\\ud83d"', '["\\udc00"]']
)
def test_what_readers_may_read_differently_has_no_key(content: str) -> None:
    raw = json.dumps(BODY).encode()[:-1] + b', "input": ' + content.encode() + b"}"
    call = Call(surface="chat", model="p/m", fields=decode_object(raw), body=raw)
    assert cache_key(call, project_id="one", path="/", route="") is None


def test_long_numbers_are_told_apart_to_the_last_digit() -> None:
    def with_seed(last: str) -> bytes:
        return key(json.dumps(BODY).encode()[:-1] + b', "seed": ' + (f"{'1' * 29}{last}").encode() + b"}")

    assert with_seed("1") != with_seed("2")


def test_a_header_that_the_provider_gets_as_well_makes_another_answer() -> None:
    raw = json.dumps(BODY).encode()
    plain, beta = (
        Call(surface="messages", model="p/m", fields=decode_object(raw), body=raw, headers=headers)
        for headers in ((), (("anthropic-beta", "context-1m-2025-08-07"),))
    )
    place = {"project_id": "one", "path": "/v1/messages", "route": "p/m"}
    assert cache_key(plain, **place) != cache_key(beta, **place)


def test_another_project_has_another_key() -> None:
    assert key(project_id="two") != key()


@pytest.mark.parametrize("field", ["user", "safety_identifier", "metadata", "prompt_cache_key", "store"])
def test_who_asks_makes_no_difference(field: str) -> None:
    assert key(BODY | {field: "x"}) == key()


@given(st.dictionaries(st.sampled_from(["seed", "tools", "stream", "n", "brand_new"]), st.integers(), min_size=1))
def test_any_other_field_makes_a_difference(fields: dict[str, int]) -> None:
    assert key(BODY | fields) != key()


def test_the_path_and_what_an_alias_stands_for_make_a_difference() -> None:
    assert len({key(), key(path="/v1/messages"), key(route="p/other")}) == 3


def test_a_body_that_cannot_be_compared_has_no_key() -> None:
    deep = msgspec.Raw(b"[" * 100_000 + b"]" * 100_000)
    call = Call(surface="chat", model="p/m", fields={"deep": deep}, body=b"")
    assert cache_key(call, project_id="one", path="/", route="") is None


@pytest.mark.parametrize(
    ("header", "reads", "stores", "max_age_s", "only_cached"),
    [
        (b"", True, True, None, False),
        (b"no-cache", False, True, None, False),
        (b"no-store", False, False, None, False),
        (b"max-age=60", True, True, 60, False),
        (b'Max-Age="7", only-if-cached', True, True, 7, True),
        (b"max-age=soon, whatever", True, True, None, False),
        (b"max-age=-1", True, True, None, False),
        (b"\xff\xfe,=,", True, True, None, False),
    ],
)
def test_cache_control(header: bytes, reads: bool, stores: bool, max_age_s: int | None, only_cached: bool) -> None:  # noqa: FBT001
    found = cache_control(header)
    assert (found.reads, found.stores, found.max_age_s, found.only_cached) == (reads, stores, max_age_s, only_cached)
