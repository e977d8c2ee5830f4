"""Dialogues of one Tollway with several workers: any of them goes on, cancels, and tells what became of the others."""

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from support import replies
from support.gateway import Gateway, new_mark, running
from support.postgres import PostgresServer
from support.standin import Hold, Received, Reply, StandIn
from support.waiting import wait_until
from tollway.services import response_store

PATH = "/v1/responses"


def held(received: Received) -> Reply:
    return Reply([Hold(), *replies.plain(received).steps])


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    with StandIn(replies.answer) as server:
        server.on("held", held)
        server.on("held-stream", replies.held_stream)
        yield server


@pytest.fixture(scope="module")
def workers(
    postgres_server: PostgresServer, stand_in: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway of three workers."""
    data_dir = tmp_path_factory.mktemp("workers") / "data"
    with running(data_dir, postgres_server.create(), stand_in, TOLLWAY_WORKERS="3") as gateway:
        yield gateway


def call(gateway: Gateway, method: str, path: str, body: object = None) -> dict[str, Any]:
    """One request over a connection of its own: any worker may answer it."""
    with httpx.Client(base_url=gateway.url, timeout=90) as client:
        answer = client.request(method, path, json=body, headers=gateway.headers())
    assert answer.is_success, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_any_worker_goes_on_at_once(workers: Gateway, stand_in: StandIn) -> None:
    made = call(workers, "POST", "/v1/conversations", {})
    previous, mark = None, new_mark()
    for turn in range(8):
        body = {"model": "stub/plain", "input": f"Turn {turn}.", "user": mark}
        chained = body | ({"previous_response_id": previous["id"]} if previous else {})
        previous = call(workers, "POST", PATH, chained)
        call(workers, "POST", PATH, body | {"conversation": made["id"]})
    sizes = [len(received.json["messages"]) for received in stand_in.marked(mark)]  # type: ignore[arg-type]
    assert sizes == [size for turn in range(8) for size in (2 * turn + 1, 2 * turn + 1)]


def test_any_worker_cancels(workers: Gateway, stand_in: StandIn) -> None:
    stand_in.hold()
    mark = new_mark()
    body = {"model": "stub/held", "input": "One.", "background": True, "user": mark}
    begun = [call(workers, "POST", PATH, body) for _ in range(4)]
    wait_until(lambda: len(stand_in.marked(mark)) == 4, what="all to be asked")
    for each in begun:
        assert call(workers, "POST", f"{PATH}/{each['id']}/cancel")["status"] == "cancelled"
    entries = wait_until(lambda: len(found := workers.entries(mark)) == 4 and found, what="all to end")
    assert {entry["outcome"] for entry in entries} == {"client_left"}


def told_by(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come."""
    return (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {"))


@contextmanager
def streamed(gateway: Gateway, mark: str) -> Iterator[str]:
    """The id of a response that is streamed in the background, and held by its provider."""
    body = {"model": "stub/held-stream", "input": "One.", "background": True, "stream": True, "user": mark}
    with (
        httpx.Client(base_url=gateway.url, timeout=90) as client,
        client.stream("POST", PATH, json=body, headers=gateway.headers()) as answer,
    ):
        yield next(told_by(answer))["response"]["id"]


def follow(gateway: Gateway, id_: str, *, after: int = -1) -> list[dict[str, Any]]:
    """All events of a response behind a number, over a connection of its own."""
    place, headers = f"{PATH}/{id_}?stream=true", gateway.headers()
    place += f"&starting_after={after}" if after >= 0 else ""
    with (
        httpx.Client(base_url=gateway.url, timeout=90) as client,
        client.stream("GET", place, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        return list(told_by(answer))


def test_any_worker_tells_the_events_of_a_stream_in_the_background(workers: Gateway, stand_in: StandIn) -> None:
    stand_in.hold()
    mark = new_mark()
    with streamed(workers, mark) as id_:
        pass  # its caller leaves
    wait_until(lambda: stand_in.marked(mark), what="the provider to be asked")
    with ThreadPoolExecutor(6) as callers:
        following = [callers.submit(follow, workers, id_) for _ in range(6)]
        wait_until(lambda: any(each.running() for each in following), what="somebody to follow")
        stand_in.release()
        told = [each.result() for each in following]
    assert all(each == told[0] for each in told)
    assert [event["sequence_number"] for event in told[0]] == list(range(len(told[0])))
    assert told[0][-1]["type"] == "response.completed"
    assert follow(workers, id_) == told[0]


def test_whoever_follows_a_stream_that_is_cancelled_is_told_so_as_its_last_event(
    workers: Gateway, stand_in: StandIn
) -> None:
    stand_in.hold()
    mark = new_mark()
    with streamed(workers, mark) as id_, ThreadPoolExecutor(6) as callers:
        wait_until(lambda: stand_in.marked(mark), what="the provider to be asked")
        following = [callers.submit(follow, workers, id_) for _ in range(6)]
        wait_until(lambda: all(each.running() for each in following), what="all to follow")
        call(workers, "POST", f"{PATH}/{id_}/cancel")
        told = [each.result() for each in following]
    assert all(each == told[0] for each in told)
    assert [event["sequence_number"] for event in told[0]] == list(range(len(told[0])))
    last = told[0][-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")
    assert (last["response"]["id"], last["response"]["incomplete_details"]) == (id_, None)
    assert follow(workers, id_) == told[0], "who attaches afterwards"
    assert follow(workers, id_, after=last["sequence_number"] - 1) == [last]
    assert follow(workers, id_, after=last["sequence_number"]) == []


def test_another_projects_response_of_the_same_id_stops_nothing(workers: Gateway, stand_in: StandIn) -> None:
    stand_in.hold()
    mark = new_mark()
    body = {"model": "stub/held", "input": "One.", "background": True, "user": mark}
    begun = call(workers, "POST", PATH, body)
    wait_until(lambda: stand_in.marked(mark), what="it to be asked")
    same = {"id": begun["id"], "object": "response", "status": "completed", "model": "same", "output": []}
    stand_in.on("same", Reply([json.dumps(same).encode()]))
    workers.add_provider("claims", stand_in.base_url, spec="openai")
    workers.set_price("claims", "*")
    workers.admin("POST", "/projects", {"name": "other", "store_content": "full"})
    theirs = workers.headers(workers.new_key("other"))
    place = f"{PATH}/{begun['id']}"
    made = workers.client.post(PATH, json={"model": "claims/same", "input": "Two."}, headers=theirs)
    assert made.json()["id"] == begun["id"]
    assert workers.client.delete(place, headers=theirs).is_success
    stand_in.release()
    assert wait_until(lambda: (now := call(workers, "GET", place))["status"] == "completed" and now, what="its end")


def test_turns_of_one_conversation_never_interleave(workers: Gateway, stand_in: StandIn) -> None:
    made = call(workers, "POST", "/v1/conversations", {})["id"]
    mark = new_mark()

    def turn(number: int) -> int:
        body = {"model": "stub/plain", "input": f"Turn {number}.", "conversation": made, "user": mark}
        return httpx.post(f"{workers.url}{PATH}", json=body, headers=workers.headers(), timeout=90).status_code

    with ThreadPoolExecutor(8) as callers:
        told = list(callers.map(turn, range(24)))
    assert set(told) <= {200, 409}
    served = told.count(200)
    assert served >= 1
    sizes = [len(received.json["messages"]) for received in stand_in.marked(mark)]  # type: ignore[arg-type]
    assert sizes == [2 * turn + 1 for turn in range(served)]
    listed = call(workers, "GET", f"/v1/conversations/{made}/items?limit=100&order=asc")["data"]
    assert [item["role"] for item in listed] == ["user", "assistant"] * served


def killed_while_it_writes(workers: Gateway) -> list[str]:
    """Kill all workers while responses wait to be written; the responses that their callers have all the same.

    Where a busy machine takes its time to kill them, callers have been waiting for the database long enough.
    """

    def ask(_: int) -> str:
        try:
            told: str = call(workers, "POST", PATH, {"model": "stub/plain", "input": "One."})["id"]
        except httpx.TransportError:
            return ""
        return told

    with ThreadPoolExecutor(3) as callers, psycopg.connect(workers.database.owner) as connection:
        connection.execute("LOCK TABLE response IN EXCLUSIVE MODE")
        locked_s = time.monotonic()
        told = callers.map(ask, range(3))
        waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'response'::regclass"
        wait_until(lambda: workers.query(waiting), what="a response to be written")
        for worker in workers.serving_workers():
            worker.send_signal(signal.SIGKILL)
        in_time = time.monotonic() - locked_s < response_store._WRITTEN_TIMEOUT_S
        return list(filter(None, told)) if in_time else []


def test_what_ran_in_a_killed_worker_has_failed(workers: Gateway, stand_in: StandIn) -> None:
    stand_in.hold()
    mark = new_mark()
    talk = call(workers, "POST", "/v1/conversations", {})["id"]
    body = {"model": "stub/held", "input": "One.", "background": True, "user": mark}
    begun = [call(workers, "POST", PATH, body | more) for more in ({"conversation": talk}, {}, {}, {})]
    wait_until(lambda: len(stand_in.marked(mark)) == 4, what="all to be asked")
    busy = workers.post(PATH, {"model": "stub/plain", "input": "Two.", "conversation": talk})
    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "conversation_locked")
    assert busy.headers["x-should-retry"] == "true"
    with streamed(workers, new_mark()) as cut:
        told = killed_while_it_writes(workers)
    wait_until(workers.serves, what="other workers")

    def states() -> set[str]:
        return {call(workers, "GET", f"{PATH}/{each['id']}")["status"] for each in begun}

    wait_until(lambda: states() == {"failed"}, what="all to have failed")
    found = call(workers, "GET", f"{PATH}/{begun[0]['id']}")
    assert found["error"]["message"]
    wait_until(lambda: call(workers, "GET", f"{PATH}/{cut}")["status"] == "failed", what="the stream's end")
    events = follow(workers, cut)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.failed")
    assert events[-1]["response"]["error"]["message"]
    assert {entry["outcome"] for entry in workers.entries(mark)} == {"interrupted"}
    more = {"model": "stub/plain", "input": "Two.", "conversation": talk}
    wait_until(lambda: workers.post(PATH, more).is_success, what="the conversation to be free")
    for id_ in told:
        call(workers, "POST", PATH, {"model": "stub/plain", "input": "Two.", "previous_response_id": id_})
