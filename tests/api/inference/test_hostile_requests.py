"""Whatever is sent to the data plane, the answer is never a 500 and always OpenAI's envelope with a code."""

import json
import select
import socket
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import raw
from support.gateway import Gateway, chat_body, new_mark
from support.standin import StandIn
from support.waiting import wait_until

CHAT = "/v1/chat/completions"
GOOD = json.dumps(chat_body()).encode()
DEPTH = 100_000


def deep(opening: str, closing: str, depth: int = DEPTH) -> str:
    return opening * depth + closing * depth


def in_field(name: str, value: str) -> bytes:
    """A good request with one more field, given as JSON text."""
    return GOOD[:-1] + f', "{name}": {value}}}'.encode()


MALFORMED = {
    "nothing": b"",
    "blank": b"   ",
    "text": b"hello",
    "null": b"null",
    "number": b"1e999",
    "array": b"[]",
    "array of objects": b"[" + GOOD + b"]",
    "string": b'"{}"',
    "cut": GOOD[:-1],
    "two objects": GOOD + GOOD,
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "single quotes": b"{'model': 'stub/plain'}",
    "trailing comma": GOOD[:-1] + b",}",
    "NaN": in_field("temperature", "NaN"),
    "leading zero": in_field("seed", "01"),
    "invalid UTF-8 in a text": GOOD.replace(b"Say", b"S\xff\xfe"),
    "overlong UTF-8": GOOD.replace(b"Say", b"\xc0\xaf"),
    "surrogate in UTF-8": GOOD.replace(b"Say", b"\xed\xa0\x80"),
    "invalid UTF-8 in a name": GOOD[:-1] + b', "\xff": 1}',
    "control character": GOOD.replace(b"Say", b"S\x01"),
    "zero byte": GOOD + b"\x00",
    "deep arrays": in_field("tools", deep("[", "]")),
    "deep objects": in_field("tools", deep('{"a":', "}").replace("}", "1}", 1)),
    "deep and unclosed": b'{"messages":' + b"[" * 100_000,
    "only brackets": b"[" * 1_000_000,
}

ODD_VALUES = {
    "model is a number": b'{"model": 1, "messages": []}',
    "model is null": b'{"model": null, "messages": []}',
    "model is a list": b'{"model": ["stub/plain"], "messages": []}',
    "model is empty": b'{"model": "", "messages": []}',
    "model is blank": b'{"model": " ", "messages": []}',
    "model is a slash": b'{"model": "/", "messages": []}',
    "model ends with the slash": b'{"model": "stub/", "messages": []}',
    "model begins with the slash": b'{"model": "/plain", "messages": []}',
    "model is a megabyte": b'{"model": "' + b"a" * 900_000 + b'", "messages": []}',
    "model climbs": b'{"model": "stub/../../admin", "messages": []}',
    "model is SQL": b'{"model": "stub/\' OR 1=1; --", "messages": []}',
    "model has a zero": b'{"model": "stub/a\\u0000b", "messages": []}',
    "model has line ends": b'{"model": "stub/a\\r\\nx: y", "messages": []}',
    "model has a lone surrogate": b'{"model": "stub/\\ud800", "messages": []}',
    "model is emoji": '{"model": "stub/🚏", "messages": []}'.encode(),
    "model twice": b'{"model": "stub/plain", "model": "nowhere/x", "messages": []}',
    "a half pair in the name of a field": in_field("\\ud83d", "1"),
    "a half pair in a field that is there twice": in_field("stop", '"\\ud83d", "stop": 1'),
    "a half pair in the name of a stream option": in_field("stream", 'true, "stream_options": {"\\ud83d": 1}'),
    "a half pair in the name of a tag": in_field("metadata", '{"\\ud83d": "a"}'),
    "stream is text": in_field("stream", '"true"'),
    "stream is one": in_field("stream", "1"),
    "stream is null": in_field("stream", "null"),
    "stream options are text": in_field("stream", 'true, "stream_options": "all"'),
    "stream options are a list": in_field("stream", 'true, "stream_options": [1]'),
    "stream options hold a huge number": in_field("stream", 'true, "stream_options": {"a": 1e999}'),
    "stream options are deep": in_field("stream", f'true, "stream_options": {{"a": {deep("[", "]", 400)}}}'),
    "user is a number": in_field("user", "1e999"),
    "user is a long integer": in_field("user", "9" * 5_000),
    "user is deep": in_field("user", deep("[", "]", 400)),
    "user is an object": in_field("user", '{"a": 1}'),
    "user has a zero": in_field("user", '"a\\u0000b"'),
    "user is long": in_field("user", '"' + "u" * 100_000 + '"'),
    "metadata is a list": in_field("metadata", "[1, 2]"),
    "metadata has a number": in_field("metadata", '{"a": 1e999}'),
    "metadata is large": in_field("metadata", json.dumps({f"k{n}": "v" for n in range(100)})),
    "metadata has a zero": in_field("metadata", '{"a\\u0000": "b\\u0000"}'),
    "metadata has a long value": in_field("metadata", json.dumps({"a": "v" * 10_000})),
    "metadata is deep": in_field("metadata", deep('{"a":', "}", 400).replace("}", "1}", 1)),
    "messages are null": b'{"model": "stub/plain", "messages": null}',
    "messages are a number": b'{"model": "stub/plain", "messages": 1e999}',
    "huge integer": in_field("seed", "9" * 5_000),
    "huge exponent": in_field("temperature", "1e99999"),
    "a name that is a megabyte": in_field("k" * 900_000, "1"),
    "ten thousand fields": GOOD[:-1] + b"".join(b', "f%d": 1' % n for n in range(10_000)) + b"}",
    "the same field ten thousand times": GOOD[:-1] + b', "seed": 1' * 10_000 + b"}",
}


def check_refusal(answer: raw.Answer, *, statuses: tuple[int, ...] = ()) -> None:
    assert 400 <= answer.status < 500, (answer.status, answer.body[:300])
    assert not statuses or answer.status in statuses
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    assert set(answer.error) == {"message", "type", "param", "code"}
    assert answer.error["code"]
    assert len(answer.body) < 4_096, "an error repeats what was sent"


def check_any(answer: raw.Answer) -> None:
    """Served, or refused in words."""
    if answer.status != 200:
        check_refusal(answer)


def send(gateway: Gateway, body: bytes, path: str = CHAT, **options: Any) -> raw.Answer:
    return raw.exchange(gateway.url, raw.request(path, body, key=gateway.project_key, **options))


@pytest.fixture(autouse=True)
def _no_defect(gateway: Gateway) -> Any:
    """No test may leave a defect in the log."""
    before = gateway.log_path.read_text().count('"defect"')
    yield
    assert gateway.log_path.read_text().count('"defect"') == before


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/embeddings"])
def test_a_body_that_is_no_json_object_is_a_400(gateway: Gateway, path: str, case: str) -> None:
    check_refusal(send(gateway, MALFORMED[case], path), statuses=(400,))


@pytest.mark.parametrize("case", ODD_VALUES)
def test_an_odd_value_is_served_or_refused_in_words_and_is_in_the_ledger(
    gateway: Gateway, standin: StandIn, case: str
) -> None:
    before = len(standin.received)
    answer = send(gateway, ODD_VALUES[case])
    check_any(answer)
    heard = len(standin.received) - before
    assert heard == (1 if answer.status == 200 else 0)
    if heard:  # no odd value may stop the drain
        request_id = answer.headers["x-request-id"]
        query = "SELECT count(*) AS n FROM ledger_entry WHERE request_id = %s"
        landed = wait_until(lambda: gateway.query(query, request_id)[0]["n"])
        assert landed == 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300))
def test_random_bytes_are_refused(gateway: Gateway, body: bytes) -> None:
    check_refusal(send(gateway, body))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_one_changed_byte_is_served_or_refused(gateway: Gateway, position: int, byte: int) -> None:
    check_any(send(gateway, GOOD[:position] + bytes([byte]) + GOOD[position + 1 :]))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["model", "messages", "stream", "stream_options", "user", "metadata", "safety_identifier"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_any_value_in_a_field_that_tollway_reads_is_served_or_refused(
    gateway: Gateway, field: str, value: object
) -> None:
    check_any(send(gateway, json.dumps(chat_body() | {field: value}).encode()))


@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages"])
def test_a_field_that_is_there_twice_is_refused_by_its_name(gateway: Gateway, path: str) -> None:
    fields = [b'"model": "stub/plain"', b'"messages": []', b'"input": "a"', b'"max_tokens": 9']
    tools = [
        b'"tools": [{"container": "theirs"}]',
        b'"to\\u006fls": []',
    ]  # one reader takes the first, another the last
    answer = send(gateway, b"{%b}" % b", ".join([tools[0], *fields, tools[1]]), path)
    assert (answer.status, "`tools` is there twice" in answer.error["message"]) == (400, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_another_method_is_a_405_that_names_the_right_one(gateway: Gateway, method: str) -> None:
    answer = send(gateway, b"", method=method)
    check_refusal(answer, statuses=(405,))
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    ["/v1/", "/v1/chat", "/v1/chat/completions/", "/v1/%00", "/v1/../api/v1/keys", "/v1/models/%ff", "/v1//models"],
)
def test_another_path_is_a_404(gateway: Gateway, path: str) -> None:
    check_refusal(send(gateway, GOOD, path, method="GET"), statuses=(404,))


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "tw-x", "Bearer tw-\xe9", "Bearer " + "x" * 20_000, "Bearer a b"],
)
def test_a_key_that_is_none_is_a_401(gateway: Gateway, authorization: str) -> None:
    head = f"POST {CHAT} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: {authorization}\r\n"
    sent = f"{head}content-length: {len(GOOD)}\r\n\r\n".encode("latin-1") + GOOD
    check_refusal(raw.exchange(gateway.url, sent), statuses=(401,))


@pytest.mark.parametrize(
    "tags", ["a", "=b", "a=b,,=", "a=" + "v" * 600, "n" * 70 + "=v", ",".join(f"k{n}=v" for n in range(40))]
)
def test_tags_that_cannot_be_read_are_a_400(gateway: Gateway, tags: str) -> None:
    check_refusal(send(gateway, GOOD, headers=[f"x-tollway-tags: {tags}"]), statuses=(400,))


def test_a_body_over_the_limit_is_a_413_whether_its_length_is_told_or_not(gateway: Gateway) -> None:
    large = in_field("padding", '"' + "x" * 1_100_000 + '"')
    check_refusal(send(gateway, large), statuses=(413,))
    check_refusal(raw.exchange(gateway.url, chunked(gateway, [large])), statuses=(413,))
    check_refusal(raw.exchange(gateway.url, chunked(gateway, [b"x" * 65_536] * 40)), statuses=(413,))


def test_who_is_refused_before_the_whole_body_was_read_is_told_that_the_connection_ends(gateway: Gateway) -> None:
    large = chat_body(padding="x" * 1_100_000)
    assert gateway.post(CHAT, large).headers["connection"] == "close"
    with pytest.raises(httpx.HTTPStatusError) as refused:
        gateway.admin("POST", "/projects", large)
    assert (refused.value.response.status_code, refused.value.response.headers["connection"]) == (413, "close")


def chunked(gateway: Gateway, chunks: list[bytes], *, end: bytes = b"0\r\n\r\n") -> bytes:
    head = raw.request(CHAT, b"", key=gateway.project_key).replace(b"content-length: 0", b"transfer-encoding: chunked")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def test_a_chunked_body_is_served(gateway: Gateway) -> None:
    answer = raw.exchange(gateway.url, chunked(gateway, [GOOD[:10], GOOD[10:11], GOOD[11:]]))
    assert answer.status == 200


@pytest.mark.parametrize("body", [GOOD, b"zz\r\n", b"ffffffffffffffffff\r\nabc", b"1\r\nabc\r\n"])
def test_a_chunked_body_that_is_none_is_a_400(gateway: Gateway, body: bytes) -> None:
    check_refusal(raw.exchange(gateway.url, chunked(gateway, [], end=body)), statuses=(400,))


def test_a_body_that_never_ends_is_a_408(hasty_gateway: Gateway) -> None:
    with socket.create_connection(raw.address(hasty_gateway.url), timeout=60) as connection:
        connection.sendall(chunked(hasty_gateway, [GOOD[:10]], end=b""))
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(b"1\r\n \r\n")
        check_refusal(raw.read_answer(connection), statuses=(408,))


def test_a_body_in_small_drops_is_served(gateway: Gateway) -> None:
    sent = raw.request(CHAT, GOOD, key=gateway.project_key)
    with socket.create_connection(raw.address(gateway.url), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            connection.sendall(bytes([byte]))
        assert raw.read_answer(connection).status == 200


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999999", "0x10", "+5"])
def test_a_content_length_that_is_none_is_a_400(gateway: Gateway, length: str) -> None:
    sent = raw.request(CHAT, GOOD, key=gateway.project_key)
    answer = raw.exchange(
        gateway.url, sent.replace(f"content-length: {len(GOOD)}".encode(), f"content-length: {length}".encode())
    )
    assert answer.status in {400, 413}


def test_headers_over_the_limit_are_a_431(gateway: Gateway) -> None:
    check_refusal(send(gateway, GOOD, headers=[f"x-padding: {'x' * 70_000}"]), statuses=(431,))
    many = [f"x-padding-{n}: {'x' * 900}" for n in range(80)]
    check_refusal(send(gateway, GOOD, headers=many), statuses=(431,))


def test_a_reader_who_takes_its_time_gets_everything(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    body = json.dumps(chat_body(user=mark, stream=True)).encode()
    with socket.create_connection(raw.address(gateway.url), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        connection.sendall(raw.request(CHAT, body, key=gateway.project_key))
        received = b""
        while data := connection.recv(64):
            received += data
            time.sleep(0.001)
    assert raw.parse(received).body.endswith(b"data: [DONE]\n\n")
    assert gateway.entry(mark)["outcome"] == "ok"
    wait_until(lambda: standin.marked(mark)[0].finished, what="the provider to see that all was taken")


@pytest.mark.parametrize("sent_bytes", [0, 1, 30, 150, 250, 290])
def test_a_caller_who_leaves_before_the_request_is_whole_leaves_no_entry(
    gateway: Gateway, standin: StandIn, sent_bytes: int
) -> None:
    mark = new_mark()
    sent = raw.request(CHAT, json.dumps(chat_body(user=mark)).encode(), key=gateway.project_key)
    assert sent_bytes < len(sent)
    with socket.create_connection(raw.address(gateway.url)) as connection:
        connection.sendall(sent[:sent_bytes])
    assert gateway.chat().is_success
    assert not standin.marked(mark)
    assert not gateway.entries(mark)


def test_requests_one_after_the_other_on_one_connection_are_all_served(gateway: Gateway) -> None:
    one = raw.request(CHAT, GOOD, key=gateway.project_key).replace(b"connection: close\r\n", b"")
    last = raw.request(CHAT, GOOD, key=gateway.project_key)
    with socket.create_connection(raw.address(gateway.url), timeout=60) as connection:
        connection.sendall(one * 20 + last)  # pipelined
        received = b""
        while data := connection.recv(65_536):
            received += data
    assert received.count(b"HTTP/1.1 200 OK") == 21
