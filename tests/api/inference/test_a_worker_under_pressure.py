"""A worker at its limit refuses in words; a worker that is told to stop ends what runs and loses no entry."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.standin import StandIn
from support.waiting import wait_until

PLACES = 4
KEPT = ("/v1/files", "/v1/conversations/any", "/v1/responses/any")
"""Asked without a model, by the same places."""


@pytest.fixture
def small(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway that serves four requests at a time, with a provider that waits until the test releases it."""
    settings = {"TOLLWAY_MAX_CONCURRENT_REQUESTS": str(PLACES), "TOLLWAY_GRACEFUL_TIMEOUT_S": "5"}
    directory = tmp_path_factory.mktemp("small") / "data"
    with running(directory, postgres_server.create(), standin, **settings) as gateway:
        standin.hold()
        yield gateway
        standin.release()


def start_streams(
    pool: ThreadPoolExecutor, gateway: Gateway, standin: StandIn, marks: list[str]
) -> list[Future[httpx.Response]]:
    """Streams that wait in their middle."""
    path = "/v1/chat/completions"
    begun = [pool.submit(gateway.post, path, chat_body("held", stream=True, user=mark)) for mark in marks]
    wait_until(lambda: all(standin.marked(mark) for mark in marks), what="streams at the provider")
    return begun


def test_one_request_too_many_is_a_503_and_the_others_end_well(small: Gateway, standin: StandIn) -> None:
    marks = [new_mark() for _ in range(PLACES)]
    with ThreadPoolExecutor(PLACES) as pool:
        streams = start_streams(pool, small, standin, marks)
        refused = small.chat()
        kept = [small.client.get(path, headers=small.headers()) for path in KEPT]
        standin.release()
        assert all(stream.result().text.endswith("data: [DONE]\n\n") for stream in streams)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert refused.headers["x-should-retry"] == "true"
    assert [(each.status_code, each.headers["retry-after"]) for each in kept] == [(503, "1")] * len(KEPT)
    assert small.client.get(KEPT[0], headers=small.headers()).is_success
    assert small.chat().is_success
    assert [small.entry(mark)["outcome"] for mark in marks] == ["ok"] * PLACES


def test_a_stop_lets_a_running_stream_end_and_its_entry_lands(small: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    with ThreadPoolExecutor(1) as pool:
        (stream,) = start_streams(pool, small, standin, [mark])
        small.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not small.serves(), what="the stop to begin")
        standin.release()
        assert stream.result().text.endswith("data: [DONE]\n\n")
    assert small.process.wait(20) == 0
    assert small.entry(mark)["outcome"] == "ok"


def test_a_stop_cuts_a_stream_that_does_not_end_and_its_entry_says_so(small: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    with ThreadPoolExecutor(1) as pool:
        (stream,) = start_streams(pool, small, standin, [mark])
        assert small.stop() == 0
        assert "[DONE]" not in stream.result().text
    entry = small.entry(mark)
    assert (entry["outcome"], entry["usage_source"]) == ("interrupted", "estimated")
