"""P6 and P1 of routes: another deployment answers for one that fails, and the entry tells of every attempt."""

import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support import raw
from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.replies import SSE, WORDS, error, event, plain, stream, tokens_of
from support.spender import Spender, all_know
from support.standin import Close, Hang, Hold, Received, Reply, StandIn, closed_port
from support.waiting import wait_until
from tollway.routing.breaker import FAILURES_MAX

PATH = "/v1/chat/completions"
BROKEN = error(503, "unavailable")


@pytest.fixture(scope="module")
def routed(
    postgres_server: PostgresServer, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A Tollway of one worker, with a provider that nobody listens at."""
    settings = {
        "TOLLWAY_READ_TIMEOUT_S": "60",  # of what hangs, the routes say how long it may
        "TOLLWAY_DRAIN_INTERVAL_MS": "20",
        "TOLLWAY_BUDGET_WAIT_S": "0.1",
    }
    data_dir = tmp_path_factory.mktemp("routed") / "data"
    with closed_port() as port, running(data_dir, postgres_server.create(), standin, **settings) as gateway:
        gateway.add_provider("gone", f"http://127.0.0.1:{port}/v1")
        gateway.set_price("gone", "*")
        yield gateway


def make_route(gateway: Gateway, *targets: str | dict[str, Any], **fields: object) -> str:
    """A new alias with these targets, asked in their order."""
    name = new_mark()
    rows = [_target(place, each) for place, each in enumerate(targets)]
    gateway.admin("PUT", f"/aliases/default/{name}", {"route": {"targets": rows} | fields})
    known = f"/v1/models/{name}"
    wait_until(lambda: gateway.client.get(known, headers=gateway.headers()).is_success, what="the worker to know it")
    return name


def _target(place: int, given: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    provider, _, model = given.partition("/")
    return {"provider": provider, "model": model, "priority": place}


def ask(gateway: Gateway, alias: str, *, key: str | None = None, **fields: object) -> tuple[httpx.Response, str]:
    """One request, and its mark."""
    mark = new_mark()
    headers = fields.pop("headers", None)
    body = chat_body(user=mark, **fields) | {"model": alias}
    return gateway.post(PATH, body, key=key, headers=headers), mark  # type: ignore[arg-type]


def new_model(standin: StandIn, script: Any) -> str:
    """A model of the stand-in with a name of its own, so that no other test has broken it."""
    name = new_mark()
    standin.on(name, script)
    return f"stub/{name}"


def new_provider(gateway: Gateway, standin: StandIn) -> str:
    """The stand-in under a name of its own, with a credential of its own."""
    name = new_mark()
    gateway.add_provider(name, standin.base_url)
    gateway.set_price(name, "*")
    return name


FAULTS: dict[str, Any] = {
    "429": error(429, "rate_limit_exceeded", headers=(("retry-after", "30"),)),
    "500": error(500, "internal_error"),
    "503": BROKEN,
    "529": error(529, "overloaded_error"),
    "401": error(401, "invalid_api_key"),
    "404": error(404, "model_not_found"),
    "too long": error(400, "context_length_exceeded"),
    "cut": Reply([b'{"id": "x", "choi', Close()], length=1_000),
    "nonsense": Reply([b"<html>"]),
    "an error under 200": Reply([b'{"error": {"message": "Overloaded.", "code": 503}, "user_id": "u"}']),
    "hang": Reply(before=(Hang(),)),
}
BRIEF = {"attempt_timeout_s": 1}
"""Retries of a route that leaves a target that hangs for the next one, which may take its time."""


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_another_target_answers_for_one_that_fails_and_the_caller_does_not_notice(
    routed: Gateway, standin: StandIn, fault: str, streamed: object
) -> None:
    failing = new_model(standin, FAULTS[fault])
    alias = make_route(routed, failing, "stub/plain", **({"retry": BRIEF} if fault == "hang" else {}))
    answer, mark = ask(routed, alias, stream=bool(streamed))
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-tollway-attempts"] == "2"
    assert answer.headers["x-tollway-model"] == "plain"
    entry = routed.entry(mark)
    assert (entry["outcome"], entry["model_sent"], entry["status"]) == ("ok", "plain", 200)
    assert [(each["model"], bool(each["error"])) for each in entry["attempts"]] == [
        (failing.partition("/")[2], True),
        ("plain", False),
    ]
    assert len(standin.marked(mark)) == 2


def test_a_conversation_keeps_to_the_target_that_is_explained_through_every_turn_and_dialect(
    routed: Gateway, standin: StandIn
) -> None:
    targets = [{"provider": "stub", "model": new_model(standin, plain).partition("/")[2]} for _ in range(4)]
    alias = make_route(routed, *targets, strategy="weighted", sticky="conversation")
    for number in range(4):
        question = {"project": "default", "model": alias, "conversation": f"c{number}"}
        explained = routed.admin("POST", "/route/explain", question)["attempts"][0]["target"]
        answer, _ = ask(routed, alias, prompt_cache_key=f"c{number}")
        assert f"stub/{answer.headers['x-tollway-model']}" == explained
        assert len(_asked_in_turns(routed, {"model": alias, "input": f"Hello {number}."})) == 1
        kept = routed.client.post("/v1/conversations", json={}, headers=routed.headers()).json()["id"]
        assert len(_asked_in_turns(routed, {"model": alias, "input": "Hello.", "conversation": kept})) == 1


def _asked_in_turns(gateway: Gateway, first: dict[str, Any]) -> set[str]:
    """The models that answer three turns of a dialogue."""
    models, more = set(), {}
    for turn in range(3):
        answer = gateway.post("/v1/responses", first | more)
        models.add(answer.headers["x-tollway-model"])
        more = {"input": f"More {turn}."}
        if "conversation" not in first:
            more["previous_response_id"] = answer.json()["id"]
    return models


def test_a_provider_that_nobody_listens_at_is_left_for_the_next(routed: Gateway) -> None:
    alias = make_route(routed, "gone/x", "stub/plain")
    answer, mark = ask(routed, alias)
    assert answer.status_code == 200
    entry = routed.entry(mark)
    assert [each["error"] for each in entry["attempts"]] == ["upstream_unreachable", ""]
    assert entry["charge_pico"] == routed_charge(mark)


def routed_charge(mark: str) -> int:
    tokens = tokens_of(Received(0, "POST", PATH, [], json.dumps({"user": mark}).encode()))
    return tokens[0] * 2_500_000 + tokens[1] * 10_000_000


def test_an_attempt_that_may_be_billed_is_in_the_charge_and_marked_as_an_estimate(
    routed: Gateway, standin: StandIn
) -> None:
    alias = make_route(routed, new_model(standin, FAULTS["hang"]), "stub/plain", retry=BRIEF)
    _, mark = ask(routed, alias)
    entry = routed.entry(mark)
    first, second = entry["attempts"]
    assert first["usage_source"] == "estimated"
    assert first["charge"] > 0
    assert second["usage_source"] == "provider"
    assert second["charge"] == routed_charge(mark)
    assert entry["charge_pico"] == first["charge"] + second["charge"] == sum(line["amount"] for line in entry["lines"])
    assert entry["usage_source"] == "estimated"


def test_when_all_fail_the_last_ones_status_and_words_are_told(routed: Gateway, standin: StandIn) -> None:
    alias = make_route(
        routed, new_model(standin, FAULTS["500"]), new_model(standin, FAULTS["429"]), retry={"attempts": 2}
    )
    answer, mark = ask(routed, alias)
    assert answer.status_code == 429
    assert "rate_limit_exceeded" in answer.text
    assert answer.headers["retry-after"] == "30"
    entry = routed.entry(mark)
    assert (entry["outcome"], entry["charge_pico"], len(entry["attempts"])) == ("upstream_error", 0, 2)


def test_a_request_that_is_wrong_is_asked_once(routed: Gateway, standin: StandIn) -> None:
    alias = make_route(routed, new_model(standin, error(422, "unprocessable")), "stub/plain")
    answer, mark = ask(routed, alias)
    assert answer.status_code == 422
    assert len(standin.marked(mark)) == 1


def test_a_lone_target_is_asked_again_and_soon_no_more(routed: Gateway, standin: StandIn) -> None:
    model = new_model(standin, lambda received: plain(received) if len(standin.marked(received.mark)) > 1 else BROKEN)
    answer, mark = ask(routed, model)
    assert answer.status_code == 200
    assert answer.headers["x-tollway-attempts"] == "2"
    hopeless = new_model(standin, BROKEN)
    asked: list[int] = []

    def calm() -> bool:
        asked.append(len(standin.marked(ask(routed, hopeless)[1])))
        return asked[-8:] == [1] * 8

    wait_until(calm, what="the breaker, or the budget of retries, to end the storm")
    assert sum(asked) <= len(asked) + 10 + len(asked) // 10
    assert routed.entry(mark)["outcome"] == "ok"


def test_a_breaker_opens_and_closes_again(routed: Gateway, standin: StandIn) -> None:
    well = False
    provider = new_provider(routed, standin)  # another test has made the credential of `stub` rest
    broken = new_model(standin, lambda received: plain(received) if well else error(500, "internal_error"))
    model = f"{provider}/{broken.partition('/')[2]}"
    alias = make_route(routed, model, f"{provider}/plain")

    def left_out() -> str | None:
        answer, mark = ask(routed, alias)
        return mark if answer.headers["x-tollway-attempts"] == "1" else None

    for _ in range(FAILURES_MAX - 1):
        assert left_out() is None
    mark = wait_until(left_out, what="the broken one to be asked no more")
    assert [received.model for received in standin.marked(mark)] == ["plain"]
    well = True
    wait_until(
        lambda: ask(routed, alias)[0].headers["x-tollway-model"] == model.partition("/")[2],
        what="the breaker to let a request through, and to close",
    )


def test_a_caller_who_waits_only_so_long_is_told_so_in_time(routed: Gateway, standin: StandIn) -> None:
    alias = make_route(routed, new_model(standin, FAULTS["hang"]))
    answer, _ = ask(routed, alias, headers={"x-tollway-timeout": "300ms"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert "x-tollway-timeout" in answer.json()["error"]["message"], "the provider's own time was over first"
    refused, _ = ask(routed, alias, headers={"x-tollway-timeout": "soon"})
    assert refused.status_code == 400


def test_a_stream_that_began_ends_with_an_error_and_is_not_asked_again(routed: Gateway) -> None:
    alias = make_route(routed, "stub/cut", "stub/plain")
    answer, mark = ask(routed, alias, stream=True)
    assert answer.status_code == 200
    assert b"upstream_stream_cut" in answer.content
    assert routed.entry(mark)["outcome"] == "stream_cut"


def test_a_stream_that_breaks_is_gone_on_with_by_the_next_target_where_the_route_says_so(
    routed: Gateway, standin: StandIn
) -> None:
    rest = new_model(standin, stream)
    alias = make_route(routed, "stub/cut", rest, continue_streams=True)
    answer, mark = ask(routed, alias, stream=True)
    assert b"[DONE]" in answer.content
    assert b"error" not in answer.content
    _, second = standin.marked(mark)
    told = second.json["messages"][-1]  # type: ignore[index]
    assert told["role"] == "assistant"
    assert "".join(WORDS).startswith(told["content"])
    entry = routed.entry(mark)
    assert (entry["outcome"], entry["request_bytes"]) == ("ok", len(answer.request.content))
    assert [each["error"] for each in entry["attempts"]] == ["upstream_stream_cut", ""]
    assert all(each["charge"] > 0 for each in entry["attempts"])


def test_a_stream_that_nobody_goes_on_with_ends_with_an_error(routed: Gateway, standin: StandIn) -> None:
    alias = make_route(routed, "stub/cut", new_model(standin, FAULTS["500"]), continue_streams=True)
    answer, mark = ask(routed, alias, stream=True)
    assert b"upstream_stream_cut" in answer.content
    entry = routed.entry(mark)
    assert (entry["outcome"], entry["status"], len(entry["attempts"])) == ("stream_cut", 200, 2)


def test_a_stream_whose_rest_nobody_can_be_asked_for_ends_with_an_error(routed: Gateway, standin: StandIn) -> None:
    other = new_mark()
    routed.add_provider(other, standin.base_url, spec="anthropic", credential="sk-ant-of-a-test")
    routed.set_price(other, "*")
    alias = make_route(routed, "stub/cut", f"{other}/claude", continue_streams=True)
    answer, mark = ask(routed, alias, stream=True, logit_bias={"1": 1})
    assert answer.status_code == 200
    assert b"upstream_stream_cut" in answer.content
    assert routed.entry(mark)["outcome"] == "stream_cut"


def test_a_stream_that_begins_with_an_error_is_another_targets(routed: Gateway, standin: StandIn) -> None:
    fault = event({"error": {"message": "overloaded", "type": "server_error"}})
    failing = new_model(standin, Reply([fault], headers=SSE, framing="chunked"))
    answer, mark = ask(routed, make_route(routed, failing, "stub/plain"), stream=True)
    assert b"[DONE]" in answer.content
    assert b"overloaded" not in answer.content
    assert len(routed.entry(mark)["attempts"]) == 2


def test_a_target_whose_own_budget_is_used_up_is_passed_over(routed: Gateway, standin: StandIn) -> None:
    spender = Spender(routed)
    dear = new_model(standin, plain)
    spender.budget("0.000000001", model=dear)
    alias = make_route(routed, dear, "stub/plain")
    answer, mark = ask(routed, alias, key=spender.key)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-tollway-model"] == "plain"
    assert answer.headers["x-tollway-attempts"] == "1"
    assert [received.model for received in standin.marked(mark)] == ["plain"]
    alone, _ = ask(routed, dear, key=spender.key)
    assert alone.status_code == 402


def test_a_request_that_nobody_answers_counts_in_a_limit_of_requests(routed: Gateway, standin: StandIn) -> None:
    spender = Spender(routed)
    dear = new_model(standin, plain)
    spender.budget("0.000000001", model=dear)
    spender.limit("requests", 2, window="day")
    alias = make_route(routed, new_model(standin, FAULTS["404"]), dear)
    statuses = [ask(routed, alias, key=spender.key)[0].status_code for _ in range(3)]
    assert statuses == [404, 404, 429]


def test_what_a_failed_attempt_held_is_given_back(routed: Gateway, standin: StandIn) -> None:
    spender = Spender(routed)
    spender.budget("0.1")
    spender.limit("parallel", 1)
    alias = make_route(routed, new_model(standin, FAULTS["500"]), "stub/plain")
    for _ in range(3):
        answer, mark = ask(routed, alias, key=spender.key, max_tokens=1_000)
        assert answer.status_code == 200, answer.text
        routed.entry(mark)
    entries = routed.query("SELECT sum(charge_pico) AS spent FROM ledger_entry WHERE model_asked = %s", alias)
    wait_until(lambda: spender.settled_pico() == int(entries[0]["spent"]), what="the budget to be settled")


def test_a_late_target_is_hedged_and_both_are_paid_for(routed: Gateway, standin: StandIn) -> None:
    late = new_model(standin, FAULTS["hang"])
    alias = make_route(routed, late, "stub/plain", hedge={"after_ms": 50, "max_percent": 100})
    answer, mark = ask(routed, alias)
    assert answer.status_code == 200
    assert (answer.headers["x-tollway-model"], answer.headers["x-tollway-attempts"]) == ("plain", "2")
    entry = routed.entry(mark)
    lost, won = entry["attempts"]
    assert (lost["error"], won["error"]) == ("hedge_lost", "")
    assert lost["charge"] > 0
    assert won["charge"] == routed_charge(mark)
    assert entry["charge_pico"] == lost["charge"] + won["charge"]


def test_a_hedge_that_loses_changes_nothing_but_the_charge(routed: Gateway, standin: StandIn) -> None:
    late = new_model(standin, lambda received: Reply(stream(received).steps, headers=SSE, before=(Hold(),)))
    alias = make_route(routed, late, "stub/hang-before-head", hedge={"after_ms": 50, "max_percent": 100})
    standin.hold()
    mark = new_mark()
    with ThreadPoolExecutor(1) as callers:
        asking = callers.submit(routed.post, PATH, chat_body(user=mark, stream=True) | {"model": alias})
        wait_until(lambda: len(standin.marked(mark)) == 2, what="the hedge")
        standin.release()
        assert b"[DONE]" in asking.result().content
    assert [each["error"] for each in routed.entry(mark)["attempts"]] == ["hedge_lost", ""]


def test_a_caller_who_leaves_both_attempts_of_a_hedge_pays_for_both(routed: Gateway, standin: StandIn) -> None:
    spender = Spender(routed)
    spender.budget("1")
    late = [new_model(standin, FAULTS["hang"]) for _ in range(2)]
    alias = make_route(routed, *late, hedge={"after_ms": 50, "max_percent": 100})
    mark = new_mark()
    body = json.dumps(chat_body(user=mark, max_tokens=100) | {"model": alias}).encode()
    with socket.create_connection(raw.address(routed.url)) as connection:
        connection.sendall(raw.request(PATH, body, key=spender.key))
        wait_until(lambda: len(standin.marked(mark)) == 2, what="the hedge")
    entry = routed.entry(mark)
    assert [each["error"] for each in entry["attempts"]] == ["hedge_lost", "client_left"]
    assert entry["charge_pico"] == sum(each["charge"] for each in entry["attempts"])
    held = 2 * 100 * 10_000_000
    wait_until(lambda: spender.settled_pico() > held, what="the strict budget to be charged the bounds of both")


def test_a_shadow_is_asked_without_the_caller_noticing(routed: Gateway, standin: StandIn) -> None:
    shadow = new_model(standin, FAULTS["500"])
    alias = make_route(routed, "stub/plain", shadow, shadow={"target": shadow, "percent": 100})
    answer, mark = ask(routed, alias)
    assert (answer.status_code, answer.headers["x-tollway-attempts"]) == (200, "1")
    entries = wait_until(
        lambda: found if len(found := routed.entries(mark)) == 2 else None, what="an entry for the copy as well"
    )
    copied = next(entry for entry in entries if entry["tags"])
    original = next(entry for entry in entries if not entry["tags"])
    assert copied["tags"] == {"tollway.shadow": str(original["entry_id"])}
    assert (copied["outcome"], original["outcome"]) == ("upstream_error", "ok")


def test_a_canary_answers_its_part_and_no_other(routed: Gateway, standin: StandIn) -> None:
    canary = new_model(standin, plain)
    for percent, model in ((100, canary.partition("/")[2]), (0, "plain")):
        alias = make_route(routed, "stub/plain", canary, canary={"target": canary, "percent": percent})
        assert {ask(routed, alias)[0].headers["x-tollway-model"] for _ in range(3)} == {model}


def test_credentials_take_turns_and_one_that_is_refused_rests(routed: Gateway, standin: StandIn) -> None:
    name = new_provider(routed, standin)
    routed.admin("POST", f"/providers/{name}/credentials", {"name": "second", "credential": "sk-second-of-two"})

    def script(received: Received) -> Reply:
        second = received.header("authorization") == "Bearer sk-second-of-two"
        return plain(received) if second else error(401, "invalid_api_key")

    standin.on(name, script)
    explained = {"project": "default", "model": f"{name}/{name}"}
    wait_until(
        lambda: routed.admin("POST", "/route/explain", explained)["attempts"][0]["credentials"] == 2,
        what="the worker to know both",
    )
    answers = [ask(routed, f"{name}/{name}") for _ in range(4)]
    assert {answer.status_code for answer, _ in answers} == {200}
    asked = [len(standin.marked(mark)) for _, mark in answers]
    assert sum(asked) == 5, "the refused one was shown once, and rests"


@pytest.mark.slow
def test_a_worker_killed_in_its_second_attempt_leaves_one_entry_with_what_both_may_cost(
    routed: Gateway, standin: StandIn
) -> None:
    held = new_model(standin, Reply(before=(Hold(), Hang())))
    alias = make_route(routed, new_model(standin, FAULTS["hang"]), held, retry=BRIEF)
    mark = new_mark()
    all_know(routed)
    (worker,) = routed.serving_workers()
    with ThreadPoolExecutor(1) as callers:
        asking = callers.submit(routed.post, PATH, chat_body(user=mark) | {"model": alias})
        wait_until(lambda: len(standin.marked(mark)) == 2, what="the second attempt")
        worker.send_signal(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            asking.result()
    entry = routed.entry(mark)
    assert (entry["outcome"], entry["model_sent"]) == ("interrupted", held.partition("/")[2])
    (first,) = entry["attempts"]
    assert first["charge"] > 0
    assert entry["charge_pico"] > first["charge"]
