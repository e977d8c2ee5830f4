"""A request with an idempotency key runs once, and is answered with the same bytes from then on."""

import asyncio
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from support import raw
from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.standin import Reply, StandIn
from support.waiting import eventually, wait_until

pytestmark = pytest.mark.timeout(300)  # two Tollways start for them
PATH = "/v1/chat/completions"
KEPT_MAX_BYTES = 4_096


@pytest.fixture(scope="module")
def pair(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway with two workers, one of which may be killed, and little room for outcomes."""
    settings = {
        "TOLLWAY_WORKERS": "2",
        "TOLLWAY_DRAIN_INTERVAL_MS": "20",
        "TOLLWAY_IDEMPOTENCY_MAX_BYTES": str(KEPT_MAX_BYTES),
    }
    with running(tmp_path_factory.mktemp("pair") / "data", postgres_server.create(), standin, **settings) as gateway:
        yield gateway


def ask(
    gateway: Gateway, mark: str, model: str = "plain", *, idempotency_key: str = "", **fields: object
) -> httpx.Response:
    """One chat completion under the idempotency key, by default the mark."""
    sent = {"idempotency-key": idempotency_key or mark}
    return gateway.post(PATH, chat_body(model, user=mark, **fields), headers=sent)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_request_gets_the_same_bytes_and_is_not_served_again(
    gateway: Gateway, standin: StandIn, *, stream: bool
) -> None:
    mark = new_mark()
    first, second = ask(gateway, mark, stream=stream), ask(gateway, mark, stream=stream)
    assert first.is_success
    assert second.content == first.content
    assert second.headers.pop("x-tollway-replayed") == "true"
    ignored = {"date", "connection", "transfer-encoding", "content-length"}
    assert {(k, v) for k, v in second.headers.items() if k not in ignored} == {
        (k, v) for k, v in first.headers.items() if k not in ignored
    }
    assert "x-tollway-replayed" not in first.headers
    assert len(standin.marked(mark)) == 1
    assert gateway.entry(mark)["status"] == 200


def test_requests_at_the_same_time_are_served_once(pair: Gateway, standin: StandIn) -> None:
    def all_at_once() -> tuple[str, list[raw.Answer]] | None:
        """The answers under a new key; ``None`` if the database was too busy to say whose it is."""
        standin.hold()
        mark = new_mark()
        body = json.dumps(chat_body("held", user=mark, stream=True)).encode()
        sent = raw.request(PATH, body, key=pair.project_key, headers=[f"idempotency-key: {mark}"])

        async def ask_all() -> list[raw.Answer]:
            asking = [asyncio.create_task(raw.exchange_async(pair.url, sent)) for _ in range(24)]
            await eventually(lambda: sum(each.done() for each in asking) >= len(asking) - 1)
            standin.release()
            return await asyncio.gather(*asking)

        answers = asyncio.run(ask_all())
        return None if any(answer.status == 503 for answer in answers) else (mark, answers)

    mark, answers = wait_until(all_at_once)
    (served,) = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer is not served]
    assert {(answer.status, answer.error["code"]) for answer in refused} == {(409, "idempotency_key_in_use")}
    assert {(each.headers["retry-after"], each.headers["x-should-retry"]) for each in refused} == {("1", "true")}
    assert len(standin.marked(mark)) == 1
    replayed = wait_until(lambda: (found := ask(pair, mark, "held", stream=True)).is_success and found)
    assert replayed.content == served.body
    assert len(standin.marked(mark)) == 1


def test_another_request_under_the_same_key_is_refused(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    assert ask(gateway, mark).is_success
    changed = ask(gateway, mark, temperature=0.5)
    assert code(changed) == (409, "idempotency_key_reused")
    assert changed.headers["x-should-retry"] == "false"
    elsewhere = gateway.post(
        "/v1/completions", {"model": "stub/plain", "prompt": "a"}, headers={"idempotency-key": mark}
    )
    assert code(elsewhere) == (409, "idempotency_key_reused")
    assert len(standin.marked(mark)) == 1


def test_a_key_that_replaces_another_one_finds_its_outcomes(gateway: Gateway, standin: StandIn) -> None:
    mark, name = new_mark(), new_mark()
    old = gateway.new_key(name=name)
    sent = {"idempotency-key": mark}
    first = gateway.post(PATH, chat_body(user=mark), key=old, headers=sent)
    new = gateway.admin("POST", f"/keys/{name}/rotate", {})["key"]
    again = gateway.post(PATH, chat_body(user=mark), key=new, headers=sent)
    assert (again.headers.get("x-tollway-replayed"), again.content) == ("true", first.content)
    assert len(standin.marked(mark)) == 1


def test_another_api_key_never_meets_the_outcome(gateway: Gateway, standin: StandIn) -> None:
    mark, stranger = new_mark(), gateway.new_key()
    assert ask(gateway, mark).is_success
    body = chat_body(user=mark)
    theirs = gateway.post(PATH, body, key=stranger, headers={"idempotency-key": mark})
    assert theirs.is_success
    assert "x-tollway-replayed" not in theirs.headers
    assert len(standin.marked(mark)) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tinside", "caf\u00e9"])
def test_a_key_that_cannot_be_used_is_refused(gateway: Gateway, key: str) -> None:
    body = json.dumps(chat_body()).encode()
    answer = raw.exchange(
        gateway.url, raw.request(PATH, body, key=gateway.project_key, headers=[f"idempotency-key: {key}"])
    )
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("model", ["bad-request", "unprocessable"])
def test_a_final_refusal_of_the_provider_is_replayed(gateway: Gateway, standin: StandIn, model: str) -> None:
    mark = new_mark()
    first, second = ask(gateway, mark, model), ask(gateway, mark, model)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["x-tollway-replayed"] == "true"
    assert len(standin.marked(mark)) == 1


@pytest.mark.parametrize(
    "model", ["rate-limited", "broken", "overloaded", "wrong-key", "missing", "malformed-json", "reset-before-head"]
)
def test_what_may_pass_is_tried_again(gateway: Gateway, standin: StandIn, model: str) -> None:
    mark, asked = new_mark(), 0
    for _ in range(2):
        answer = ask(gateway, mark, model)
        assert answer.is_error
        assert "x-tollway-replayed" not in answer.headers
        asked += int(answer.headers["x-tollway-attempts"])
        assert len(standin.marked(mark)) == asked


@pytest.mark.parametrize("model", ["cut", "reset-stream", "error-in-stream"])
def test_a_stream_that_broke_off_is_tried_again(gateway: Gateway, standin: StandIn, model: str) -> None:
    mark = new_mark()
    for _ in range(2):
        assert "x-tollway-replayed" not in ask(gateway, mark, model, stream=True).headers
    assert len(standin.marked(mark)) == 2


def test_what_was_refused_before_it_ran_is_tried_again(gateway: Gateway, standin: StandIn) -> None:
    mark = new_mark()
    sent = {"idempotency-key": mark}
    assert code(gateway.post(PATH, b"{", headers=sent)) == (400, "malformed_body")
    unknown = chat_body(user=mark) | {"model": "nowhere/plain"}
    assert code(gateway.post(PATH, unknown, headers=sent)) == (404, "model_not_found")
    assert ask(gateway, mark).is_success
    assert len(standin.marked(mark)) == 1


def test_a_reply_that_is_too_large_to_be_kept_is_not_served_again(pair: Gateway, standin: StandIn) -> None:
    text = "x" * KEPT_MAX_BYTES
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    standin.on("lengthy", Reply([json.dumps(body).encode()], tokens=(1, 1)))
    mark = new_mark()
    assert len(ask(pair, mark, "lengthy").content) > KEPT_MAX_BYTES
    assert code(ask(pair, mark, "lengthy")) == (409, "idempotency_outcome_not_kept")
    assert len(standin.marked(mark)) == 1


def leave(gateway: Gateway, mark: str, headers: dict[str, str]) -> None:
    """Ask for a stream, and leave it after its first bytes."""
    content = json.dumps(chat_body("held", user=mark, stream=True)).encode()
    with gateway.client.stream("POST", PATH, content=content, headers=gateway.headers() | headers) as stream:
        next(stream.iter_bytes())


def test_a_caller_who_leaves_finds_the_answer_when_it_comes_back(gateway: Gateway, standin: StandIn) -> None:
    standin.hold()
    mark, other = new_mark(), new_mark()
    leave(gateway, mark, {"idempotency-key": mark})
    leave(gateway, other, {})
    assert gateway.entry(other)["outcome"] == "client_left"
    assert code(ask(gateway, mark, "held", stream=True)) == (409, "idempotency_key_in_use")
    standin.release()
    replayed = wait_until(lambda: (found := ask(gateway, mark, "held", stream=True)).is_success and found)
    assert replayed.headers["x-tollway-replayed"] == "true"
    assert replayed.content.endswith(b"data: [DONE]\n\n")
    assert len(standin.marked(mark)) == 1
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["usage_source"]) == ("ok", "provider")


def test_the_key_of_a_killed_worker_is_free_again(pair: Gateway, standin: StandIn) -> None:
    standin.hold()
    mark = new_mark()
    body = json.dumps(chat_body("held", user=mark, stream=True)).encode()
    sent = raw.request(PATH, body, key=pair.project_key, headers=[f"idempotency-key: {mark}"])

    async def be_cut_off() -> None:
        first = asyncio.create_task(raw.exchange_async(pair.url, sent))
        await eventually(lambda: standin.marked(mark))
        for worker in pair.serving_workers():
            worker.send_signal(signal.SIGKILL)
        assert not (await first).whole

    asyncio.run(be_cut_off())
    standin.release()
    wait_until(pair.serving_workers, what="the next workers")
    wait_until(lambda: raw.exchange(pair.url, sent).status == 200, what="the request to be served after all")
    replayed = wait_until(lambda: (found := raw.exchange(pair.url, sent)).status == 200 and found, what="the replay")
    assert replayed.headers["x-tollway-replayed"] == "true"
    assert replayed.body.endswith(b"data: [DONE]\n\n")
    assert len(standin.marked(mark)) == 2
    rows = wait_until(lambda: len(found := pair.entries(mark)) == 2 and found, what="both entries")
    assert sorted(row["outcome"] for row in rows) == ["interrupted", "ok"]


@contextmanager
def unanswered(gateway: Gateway) -> Iterator[None]:
    """While the block runs, the database answers nothing that is about idempotency keys."""
    with psycopg.connect(gateway.database.owner) as connection:
        connection.execute("LOCK TABLE idempotency_claim IN ACCESS EXCLUSIVE MODE")
        yield


def test_nothing_runs_while_the_database_does_not_answer_and_others_are_served(
    gateway: Gateway, standin: StandIn
) -> None:
    mark, other = new_mark(), new_mark()
    with unanswered(gateway):
        refused = ask(gateway, mark)
        assert gateway.chat(user=other).is_success
    assert code(refused) == (503, "database_unavailable")
    assert (refused.headers["retry-after"], refused.headers["x-should-retry"]) == ("2", "true")
    assert not standin.marked(mark)
    wait_until(lambda: ask(gateway, mark).is_success, what="the key to be free")
    assert len(standin.marked(mark)) == 1


def test_an_outcome_that_cannot_be_stored_yet_is_stored_later_and_the_caller_has_its_answer(
    gateway: Gateway, standin: StandIn
) -> None:
    standin.hold()
    mark = new_mark()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(ask, gateway, mark, "held", stream=True)
        wait_until(lambda: standin.marked(mark), what="the provider to hear the request")
        with unanswered(gateway):
            standin.release()
            answer = first.result()
    assert answer.content.endswith(b"data: [DONE]\n\n")
    replayed = wait_until(lambda: (found := ask(gateway, mark, "held", stream=True)).is_success and found)
    assert replayed.content == answer.content
    assert len(standin.marked(mark)) == 1
