"""A worker at its limit refuses in words; a worker that is told to stop ends what runs and loses no entry."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from support.gateway import STOP_TIMEOUT_S, Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.standin import StandIn
from support.waiting import wait_until

PLACES = 4
KEPT = ("/v1/files", "/v1/conversations/any", "/v1/responses/any")
"""Asked without a model, by the same places."""


@pytest.fixture(scope="module")
def small(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway that serves four requests at a time; the last test of the module stops it."""
    settings = {"TOLLWAY_MAX_CONCURRENT_REQUESTS": str(PLACES), "TOLLWAY_GRACEFUL_TIMEOUT_S": "15"}
    directory = tmp_path_factory.mktemp("small") / "data"
    with running(directory, postgres_server.create(), standin, **settings) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def held(standin: StandIn) -> Iterator[None]:
    standin.hold()
    yield
    standin.release()


def start_streams(
    pool: ThreadPoolExecutor, gateway: Gateway, standin: StandIn, marks: list[str], model: str = "held"
) -> list[Future[httpx.Response]]:
    """Streams that wait in their middle."""
    path = "/v1/chat/completions"
    begun = [pool.submit(gateway.post, path, chat_body(model, stream=True, user=mark)) for mark in marks]
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
    wait_until(lambda: small.client.get(KEPT[0], headers=small.headers()).is_success, what="places to be free again")
    assert small.chat().is_success
    assert [small.entry(mark)["outcome"] for mark in marks] == ["ok"] * PLACES


def test_a_stop_lets_a_running_stream_end_cuts_one_that_does_not_and_their_entries_land(
    small: Gateway, standin: StandIn
) -> None:
    ends, hangs = new_mark(), new_mark()
    with ThreadPoolExecutor(2) as pool:
        (ending,) = start_streams(pool, small, standin, [ends])
        (hanging,) = start_streams(pool, small, standin, [hangs], "hang-stream")
        small.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not small.serves(), what="the stop to begin")
        standin.release()
        assert ending.result().text.endswith("data: [DONE]\n\n")
        assert "[DONE]" not in hanging.result().text
    assert small.process.wait(STOP_TIMEOUT_S) == 0
    assert small.entry(ends)["outcome"] == "ok"
    entry = small.entry(hangs)
    assert (entry["outcome"], entry["usage_source"]) == ("interrupted", "estimated")
