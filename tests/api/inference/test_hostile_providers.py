"""Whatever a provider sends, the caller gets it or a 502 in words, the entry lands, and the worker lives on."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.gateway import Gateway, chat_body, new_mark
from support.replies import SSE, error
from support.standin import Close, Hang, Pause, Reply, Reset, StandIn, Step
from support.waiting import wait_until

GOOD = b'{"id":"x","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
LENGTH = b"content-length: %d\r\n\r\n" % len(GOOD)
OK = b"HTTP/1.1 200 OK\r\n"
MEGABYTE = b"y" * 1_000_000


def raw_reply(*steps: Step) -> Reply:
    """Bytes as they are, then the end of the connection."""
    return Reply(before=(*steps, Close()))


def drops(data: bytes) -> Iterator[Step]:
    for byte in data:
        yield bytes([byte])
        yield Pause(0.0005)


def told(usage: bytes) -> Reply:
    return Reply([b'{"model": "m", "usage": ' + usage + b"}"])


PASSES = {
    "closes after every reply": Reply([GOOD, Close()]),
    "HTTP/1.0": raw_reply(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD),
    "informational replies first": raw_reply(b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" * 2 + OK + LENGTH + GOOD),
    "a head in drops": raw_reply(*drops(OK + LENGTH), GOOD),
    "another reply behind the first": raw_reply(OK + LENGTH + GOOD + OK + LENGTH + GOOD),
    "no charset in a header": raw_reply(OK + b"x-ratelimit-a: caf\xe9\r\n" + LENGTH + GOOD),
}
REFUSED = {
    "two lengths": raw_reply(OK + b"content-length: 5\r\ncontent-length: 7\r\n\r\n12345"),
    "length and chunks": raw_reply(OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"),
    "a chunk size that is none": raw_reply(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"),
    "a chunk that nothing can hold": raw_reply(OK + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc"),
    "compressed though not asked": Reply([gzip.compress(GOOD)], headers=(("content-encoding", "gzip"),)),
    "no content": raw_reply(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "a status that is none": raw_reply(b"HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n"),
    "a redirect": Reply([b""], status=307, headers=(("location", "http://169.254.169.254/"),)),
    "headers without end": raw_reply(OK, *[b"x-a: " + b"y" * 60_000 + b"\r\n"] * 200),
    "one header without end": raw_reply(OK + b"x: ", *[MEGABYTE] * 30),
    "informational replies without end": Reply(before=(*[b"HTTP/1.1 102 P\r\n\r\n" * 1_000] * 50, Hang())),
    "a control character in a header": raw_reply(OK + b"x-a: \x01\r\n" + LENGTH + GOOD),
}
ODD_USAGE = {
    "negative": (told(b'{"prompt_tokens": -5, "completion_tokens": 1}'), "estimated"),
    "a fraction": (told(b'{"prompt_tokens": 1, "completion_tokens": 1e9}'), "estimated"),
    "text": (told(b'"many"'), "estimated"),
    "beyond a bigint": (told(b'{"prompt_tokens": 99999999999999999999, "completion_tokens": 1}'), "estimated"),
    "a million million": (told(b'{"prompt_tokens": 999999999999, "completion_tokens": 999999999999}'), "estimated"),
    "a thousand million": (told(b'{"prompt_tokens": 1000000000, "completion_tokens": 1000000000}'), "provider"),
    "a huge cost": (told(b'{"prompt_tokens": 1, "completion_tokens": 1, "cost": 1e300}'), "provider"),
}
STREAMS: dict[str, tuple[list[Step], str]] = {
    "no end mark": ([b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'], "stream_cut"),
    "nothing": ([], "stream_cut"),
    "garbage": ([b"\xff\xfe\x00garbage", b"\n\n", b"data: [DONE]\n\n"], "ok"),
    "one huge event": ([b"data: ", *[MEGABYTE] * 20, b"\n\n", b"data: [DONE]\n\n"], "ok"),
    "no line end": ([MEGABYTE] * 20, "stream_cut"),
    "more after the end mark": ([b'data: [DONE]\n\ndata: {"x":1}\n\n', b"data: more\n\n"], "ok"),
    "only the end mark": ([b"data: [DONE]\n\n"], "ok"),
    "a zero in the model": ([b'data: {"model":"a\\u0000","choices":[]}\n\n', b"data: [DONE]\n\n"], "ok"),
    "open after the end mark": ([b"data: [DONE]\n\n", Hang()], "ok"),
}


@pytest.fixture(autouse=True)
def _alive(gateway: Gateway) -> Any:
    """The worker neither dies nor meets a defect of its own, and every entry reaches the ledger."""
    workers = [worker.pid for worker in gateway.children("tollway.worker")]
    yield
    assert [worker.pid for worker in gateway.children("tollway.worker")] == workers
    log = gateway.log_path.read_text()
    assert '"defect"' not in log
    assert "ledger_entry_refused" not in log


@pytest.mark.parametrize("case", PASSES)
def test_a_reply_in_an_unusual_form_passes(gateway: Gateway, standin: StandIn, case: str) -> None:
    standin.on("hostile", PASSES[case])
    mark = new_mark()
    assert gateway.chat("hostile", user=mark).content == GOOD
    assert gateway.entry(mark)["usage_source"] == "provider"


@pytest.mark.parametrize("case", REFUSED)
def test_a_reply_that_is_no_protocol_is_a_502(gateway: Gateway, standin: StandIn, case: str) -> None:
    standin.on("hostile", REFUSED[case])
    mark = new_mark()
    answer = gateway.chat("hostile", user=mark)
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "upstream_error")
    assert gateway.entry(mark)["status"] == 502
    assert gateway.chat().is_success


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(
    ("told_as", "status"),
    [
        (b'{"message": "Not so.", "code": 400}', 400),
        (b'{"message": "Not so.", "code": "odd"}', 502),
        (b'"Not so."', 502),
    ],
)
def test_an_error_that_is_told_as_an_answer_is_an_error(
    gateway: Gateway, standin: StandIn, path: str, told_as: bytes, status: int
) -> None:
    model, mark = new_mark(), new_mark()
    standin.on(model, Reply([b'{"error": ' + told_as + b"}"]))
    named = {"user": mark} if path.endswith("completions") else {"max_tokens": 9, "metadata": {"user_id": mark}}
    answer = gateway.post(path, chat_body(model, **named))
    assert (answer.status_code, "Not so." in answer.text) == (status, True)
    assert "error" in answer.json()
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["status"], entry["usage_source"]) == ("upstream_error", status, "estimated")
    assert {each["status"] for each in entry["attempts"]} == {200}


@pytest.mark.parametrize("case", ODD_USAGE)
def test_counts_that_cannot_be_are_estimated_and_the_entry_lands(gateway: Gateway, standin: StandIn, case: str) -> None:
    reply, source = ODD_USAGE[case]
    standin.on("hostile", reply)
    mark = new_mark()
    assert gateway.chat("hostile", user=mark).is_success
    assert gateway.entry(mark)["usage_source"] == source


def test_a_charge_that_no_entry_can_hold_is_flagged(gateway: Gateway, standin: StandIn) -> None:
    standin.on("absurd", told(b'{"prompt_tokens": 1000000000, "completion_tokens": 1000000000}'))
    gateway.set_price("stub", "absurd", {"input": "999999", "output": "999999"})

    def unpriced() -> str | None:
        mark = new_mark()
        return mark if gateway.chat("absurd", user=mark).headers["x-tollway-cost"] == "0" else None

    entry = gateway.entry(wait_until(unpriced, what="the new price to be known"))
    assert (entry["priced"], entry["charge_pico"], entry["usage_input"]) == (False, 0, 10**9)


@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_in_an_unusual_form_ends_and_is_entered(gateway: Gateway, standin: StandIn, case: str) -> None:
    steps, outcome = STREAMS[case]
    standin.on("hostile", Reply(steps, headers=SSE, framing="chunked"))
    mark = new_mark()
    answer = gateway.chat("hostile", user=mark, stream=True)
    assert answer.is_success
    assert b": x-tollway-cost " in answer.content
    assert gateway.entry(mark)["outcome"] == outcome


@pytest.mark.parametrize(
    "half", [b'data: {"choices":[{"del', b'data: {"choices":[{"text":"\xf0\x9f', b"data: " + MEGABYTE * 2]
)
@pytest.mark.parametrize("end", [(), (Close(),), (Reset(),), (Hang(),)], ids=["end", "close", "reset", "hang"])
def test_a_stream_that_ends_in_mid_event_ends_with_an_error_that_can_be_read(
    gateway: Gateway, hasty_gateway: Gateway, standin: StandIn, half: bytes, end: tuple[Step, ...]
) -> None:
    gateway = hasty_gateway if any(isinstance(step, Hang) for step in end) else gateway
    standin.on("hostile", Reply([b'data: {"model":"m","choices":[]}\n\n', half, *end], headers=SSE, framing="chunked"))
    mark = new_mark()
    *events, cost, last, empty = gateway.chat("hostile", user=mark, stream=True).content.split(b"\n\n")
    assert (events[0], empty) == (b'data: {"model":"m","choices":[]}', b"")
    assert cost.startswith(b": x-tollway-cost ")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_stream_cut"
    assert gateway.entry(mark)["outcome"] in {"stream_cut", "upstream_timeout"}


@pytest.mark.parametrize("kind", ["application/json", "text/html", ""])
def test_a_stream_under_another_content_type_is_a_502_and_is_entered(
    gateway: Gateway, standin: StandIn, kind: str
) -> None:
    headers = (("content-type", kind),) if kind else ()
    standin.on("hostile", Reply([b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n"], headers=headers, framing="chunked"))
    mark = new_mark()
    answer = gateway.chat("hostile", user=mark, stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_malformed_reply")
    assert gateway.entry(mark)["usage_source"] == "estimated"


@pytest.mark.parametrize("retry_after", ["", "7", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_storm_of_429_passes_as_it_is_and_costs_nothing(gateway: Gateway, standin: StandIn, retry_after: str) -> None:
    headers = (("retry-after", retry_after),) if retry_after else ()
    standin.on("storm", error(429, "rate_limit_exceeded", headers=headers))
    marks = [new_mark() for _ in range(30)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda mark: gateway.chat("storm", user=mark), marks))
    assert {answer.status_code for answer in answers} == {429}
    assert {answer.headers.get("retry-after", "") for answer in answers} == {retry_after}
    entries = [gateway.entry(mark) for mark in marks]
    assert {(entry["status"], entry["charge_pico"], entry["outcome"]) for entry in entries} == {
        (429, 0, "upstream_error")
    }
    asked = sum(len(standin.marked(mark)) for mark in marks)
    assert asked <= (30 if retry_after == "7" else 30 + 10 + 3), "the budget of retries ends the storm"


def test_a_whole_reply_to_a_stream_passes_and_is_metered(gateway: Gateway, standin: StandIn) -> None:
    standin.on("hostile", Reply([GOOD]))
    mark = new_mark()
    assert gateway.chat("hostile", user=mark, stream=True).content == GOOD
    assert gateway.entry(mark)["usage_source"] == "provider"
