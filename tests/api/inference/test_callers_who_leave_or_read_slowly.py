"""A caller may leave at any stage, or not read at all: there is one entry, and the memory stays bounded."""

import json
import socket
import time
from collections.abc import Iterator

from support import raw
from support.gateway import Gateway, chat_body, new_mark
from support.replies import DONE, SSE, event, usage_event
from support.standin import Received, Reply, StandIn, Step
from support.waiting import wait_until

CHAT = "/v1/chat/completions"
FLOOD_EVENTS = 1_200
PIECE = event({"model": "m", "choices": [{"index": 0, "delta": {"content": "x" * 60_000}}]})
MEBIBYTE = 1024 * 1024


def connect(gateway: Gateway, mark: str, model: str) -> socket.socket:
    """A connection on which a stream was asked for."""
    body = json.dumps(chat_body(model, user=mark, stream=True)).encode()
    connection = socket.create_connection(raw.address(gateway.url), timeout=60)
    connection.sendall(raw.request(CHAT, body, key=gateway.project_key))
    return connection


def test_who_leaves_before_the_first_byte_hangs_up_on_the_provider(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    with connect(gateway, mark, "hang-before-head"):
        wait_until(lambda: standin.marked(mark), what="the request at the provider")
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["status"], entry["usage_source"]) == ("client_left", 499, "estimated")
    assert entry["first_byte_us"] is None
    wait_until(lambda: standin.marked(mark)[0].left, what="the provider to be left")


def test_who_leaves_right_after_the_last_byte_is_entered_as_served(gateway: Gateway) -> None:
    mark = new_mark()
    received = b""
    with connect(gateway, mark, "plain") as connection:
        while b"data: [DONE]\n\n" not in received:
            received += connection.recv(65_536)
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["usage_source"]) == ("ok", "provider")


def stalls(sent: list[int]) -> bool:
    """Whether the provider has begun, and gets no further while everybody else has time."""
    before = len(sent)
    return before > 0 and all(len(sent) == before for _ in range(20) if not time.sleep(0.01))


def test_who_does_not_read_makes_the_provider_wait_and_costs_no_memory(gateway: Gateway, standin: StandIn) -> None:
    sent: list[int] = []

    def flood(received: Received) -> Reply:
        def steps() -> Iterator[Step]:
            for number in range(FLOOD_EVENTS):
                sent.append(number)
                yield PIECE
            yield usage_event(received, (7, 9))
            yield DONE

        return Reply(steps(), headers=SSE, framing="chunked", tokens=(7, 9))

    standin.on("flood", flood)
    (worker,) = gateway.children("tollway.worker")
    before_bytes = worker.memory_info().rss
    mark = new_mark()
    with connect(gateway, mark, "flood") as connection:
        wait_until(lambda: stalls(sent), what="the provider to wait")
        assert len(sent) < FLOOD_EVENTS // 2
        assert worker.memory_info().rss - before_bytes < 24 * MEBIBYTE
        read_bytes = 0
        while data := connection.recv(1 << 20):
            read_bytes += len(data)
    assert read_bytes > FLOOD_EVENTS * len(PIECE)
    assert gateway.entry(mark)["outcome"] == "ok"
