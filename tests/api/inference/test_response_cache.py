"""The response cache: within one project, at no cost, with the saving in the ledger."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from support.gateway import Gateway, chat_body, new_mark
from support.replies import plain, stream
from support.standin import Hold, Received, Reply, StandIn
from support.waiting import wait_until


@dataclass
class Cached:
    """A caller of a project with a cache, and a model that nobody else asks."""

    gateway: Gateway
    standin: StandIn
    project: str
    key: str
    model: str

    def ask(self, *, headers: dict[str, str] | None = None, key: str = "", **fields: object) -> httpx.Response:
        body = chat_body(self.model) | fields
        return self.gateway.post("/v1/chat/completions", body, key=key or self.key, headers=headers)

    @property
    def asked(self) -> int:
        """How often the provider was asked."""
        return sum(received.model == self.model for received in list(self.standin.received))

    def entry(self, answer: httpx.Response) -> dict[str, Any]:
        id_ = answer.headers["x-request-id"]
        sql = "SELECT * FROM ledger_entry WHERE request_id = %s"
        (row,) = wait_until(lambda: self.gateway.query(sql, id_), what="the entry")
        return row


@pytest.fixture
def cached(gateway: Gateway, standin: StandIn) -> Cached:
    name = new_mark()
    gateway.admin("POST", "/projects", {"name": name, "cache_ttl_s": 60})
    standin.on(name, lambda received: stream(received) if received.json.get("stream") else plain(received))
    return Cached(gateway, standin, name, gateway.new_key(name), name)


def test_the_same_request_is_asked_once_and_costs_nothing_again(cached: Cached) -> None:
    first, again = cached.ask(user="a"), cached.ask(user="b")
    assert (first.headers["x-tollway-cache"], again.headers["x-tollway-cache"]) == ("miss", "hit")
    assert cached.asked == 1
    assert again.content == first.content
    assert again.headers["x-tollway-cost"] == "0"
    assert int(again.headers["age"]) >= 0
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    paid, saved = cached.entry(first), cached.entry(again)
    assert paid["charge_pico"] > 0
    assert (saved["charge_pico"], saved["saved_pico"], saved["usage_source"]) == (0, paid["charge_pico"], "none")
    assert saved["usage_input"] == 0


def test_the_entry_of_a_hit_says_who_gave_the_answer(cached: Cached) -> None:
    alias, other = new_mark(), new_mark()
    targets = [{"provider": "stub", "model": model} for model in (cached.model, other)]
    cached.gateway.admin("PUT", f"/aliases/{cached.project}/{alias}", {"route": {"targets": targets}})
    cached.standin.on(cached.model, Reply([b"{}"], status=503))
    cached.standin.on(other, plain)
    first, again = cached.ask(model=alias), cached.ask(model=alias)
    assert (first.headers["x-tollway-cache"], again.headers["x-tollway-cache"]) == ("miss", "hit")
    assert first.headers["x-tollway-model"] == again.headers["x-tollway-model"] == other
    assert cached.entry(again)["model_sent"] == cached.entry(first)["model_sent"] == other


def test_a_hit_of_the_messages_api_has_the_header_that_its_sdks_look_for(cached: Cached) -> None:
    body = chat_body(cached.model) | {"max_tokens": 9}
    answers = [cached.gateway.post("/v1/messages", body, key=cached.key) for _ in range(2)]
    assert answers[1].headers["x-tollway-cache"] == "hit"
    assert answers[1].headers["request-id"] == answers[1].headers["x-request-id"]


def test_a_stream_is_given_again_as_a_stream(cached: Cached) -> None:
    first, again = cached.ask(stream=True), cached.ask(stream=True)
    assert again.headers["x-tollway-cache"] == "hit"
    assert again.headers["content-type"].startswith("text/event-stream")
    data = [[line for line in each.text.splitlines() if line.startswith("data:")] for each in (first, again)]
    assert data[0] == data[1]
    assert "x-tollway-cost" not in again.text
    assert cached.ask().headers["x-tollway-cache"] == "miss"  # the same, whole


def test_another_project_does_not_see_it(cached: Cached, gateway: Gateway) -> None:
    cached.ask()
    other = new_mark()
    gateway.admin("POST", "/projects", {"name": other, "cache_ttl_s": 60})
    assert cached.ask(key=gateway.new_key(other)).headers["x-tollway-cache"] == "miss"
    assert cached.asked == 2


def test_a_project_without_a_cache_is_asked_each_time(cached: Cached) -> None:
    for _ in range(2):
        assert "x-tollway-cache" not in cached.ask(key=cached.gateway.project_key).headers
    assert cached.asked == 2


def test_a_key_that_may_not_use_the_model_gets_no_answer_of_it(cached: Cached) -> None:
    cached.ask()
    narrow = cached.gateway.new_key(cached.project, allowed_models=["stub/other"])
    assert cached.ask(key=narrow).status_code == 403


def test_cache_control_is_honoured(cached: Cached) -> None:
    def outcome(control: str) -> str:
        return cached.ask(headers={"cache-control": control}).headers.get("x-tollway-cache", "none")

    nothing = cached.ask(headers={"cache-control": "only-if-cached"})
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (504, "not_in_cache")
    assert outcome("no-store") == "none"
    assert outcome("max-age=60") == "miss"
    assert outcome("max-age=60") == "hit"
    assert outcome("only-if-cached") == "hit"
    assert outcome("no-cache") == "miss"
    assert cached.asked == 3


def test_what_several_lines_of_a_header_say_holds_together(cached: Cached) -> None:
    body = json.dumps(chat_body(cached.model)).encode()
    lines = [
        *cached.gateway.headers(cached.key).items(),
        ("cache-control", "no-store"),
        ("cache-control", "max-age=60"),
    ]
    lines += [("x-tollway-tags", "team=search"), ("x-tollway-tags", "env=prod")]
    answer = cached.gateway.client.post("/v1/chat/completions", content=body, headers=lines)
    assert cached.entry(answer)["tags"] == {"team": "search", "env": "prod"}
    assert cached.ask().headers["x-tollway-cache"] == "miss"


def test_an_error_is_not_kept(cached: Cached) -> None:
    cached.standin.on(cached.model, Reply([b'{"error": {"message": "no"}}'], status=400))
    assert cached.ask().status_code == 400
    cached.standin.on(cached.model, plain)
    assert (cached.ask().status_code, cached.asked) == (200, 2)


def test_an_error_that_is_told_as_an_answer_is_not_kept(cached: Cached) -> None:
    cached.standin.on(cached.model, Reply([b'{"error": {"message": "Not so.", "code": 400}}']))
    assert cached.ask().status_code == 400
    cached.standin.on(cached.model, plain)
    assert cached.ask().headers["x-tollway-cache"] == "miss"


def test_it_lasts_as_long_as_the_project_says(cached: Cached) -> None:
    cached.ask()
    cached.gateway.admin("PATCH", f"/projects/{cached.project}", {"cache_ttl_s": 1})
    wait_until(lambda: cached.ask().headers["x-tollway-cache"] == "miss", what="it to be too old")


def test_a_hit_counts_in_a_limit_of_requests_and_not_in_a_budget(cached: Cached) -> None:
    cached.ask()
    made = cached.gateway.admin("POST", "/keys", {"name": new_mark(), "project": cached.project})
    limits = {"project": cached.project, "key": made["id"]}
    cached.gateway.admin("PUT", "/budgets", limits | {"window": "day", "limit_usd": "0.000000000001", "mode": "hard"})
    cached.gateway.admin("PUT", "/limits", limits | {"unit": "requests", "window": "hour", "limit": 2})
    statuses = [cached.ask(key=made["key"]).status_code for _ in range(4)]
    wait_until(lambda: cached.ask(key=made["key"]).status_code == 429, what="the limit to hold")
    assert set(statuses) <= {200, 429}
    assert cached.asked == 1


def test_a_hit_needs_nothing_of_a_limit_of_tokens_or_of_requests_at_a_time(cached: Cached) -> None:
    cached.ask()
    made = cached.gateway.admin("POST", "/keys", {"name": new_mark(), "project": cached.project})
    limits = {"project": cached.project, "key": made["id"]}
    cached.gateway.admin("PUT", "/limits", limits | {"unit": "parallel", "limit": 1})
    cached.gateway.admin("PUT", "/limits", limits | {"unit": "tokens", "window": "day", "limit": 1})
    wait_until(lambda: "x-ratelimit-limit-tokens" in cached.ask(key=made["key"]).headers, what="the limits known")
    cached.standin.hold()
    cached.standin.on(cached.model, lambda received: replace(plain(received), before=(Hold(),)))
    with ThreadPoolExecutor() as callers:
        callers.submit(cached.ask, key=made["key"], seed=1)
        wait_until(lambda: cached.asked == 2, what="it to be asked")
        during = cached.ask(key=made["key"])
        cached.standin.release()
    after, missing = cached.ask(key=made["key"]), cached.ask(key=made["key"], seed=2)
    assert [each.headers.get("x-tollway-cache") for each in (during, after)] == ["hit", "hit"]
    assert (after.headers["x-ratelimit-remaining-tokens"], missing.status_code) == ("0", 429)


def test_the_same_requests_at_the_same_time_are_asked_once_where_that_is_chosen(cached: Cached) -> None:
    cached.gateway.admin("PATCH", f"/projects/{cached.project}", {"cache_single_flight": True})
    key = cached.gateway.new_key(cached.project)
    begun = threading.Event()

    def slow(received: Received) -> Reply:
        begun.set()
        reply = plain(received)
        return Reply([Hold(), *reply.steps], headers=reply.headers, framing="chunked", tokens=reply.tokens)

    cached.standin.hold()
    cached.standin.on(cached.model, slow)
    with ThreadPoolExecutor(8) as callers:
        first = callers.submit(cached.ask, key=key)
        assert begun.wait(60)
        hurried = cached.ask(key=key, headers={"x-tollway-timeout": "200ms"})
        assert (hurried.status_code, hurried.json()["error"]["code"]) == (504, "upstream_timeout")
        others = [callers.submit(cached.ask, key=key) for _ in range(7)]
        threading.Event().wait(0.3)
        cached.standin.release()
        answers = [each.result() for each in (first, *others)]
    assert cached.asked == 1
    assert len({answer.content for answer in answers}) == 1
    assert sorted(answer.headers["x-tollway-cache"] for answer in answers) == ["hit"] * 7 + ["miss"]
    assert json.loads(answers[0].content)["choices"]


def test_nobody_waits_in_line_for_an_answer_that_is_not_kept(cached: Cached) -> None:
    settings = {"cache_single_flight": True, "cache_max_bytes": 1_024}
    cached.gateway.admin("PATCH", f"/projects/{cached.project}", settings)
    key = cached.gateway.new_key(cached.project)

    def long(received: Received) -> Reply:
        return Reply([Hold(), *plain(received).steps, b" " * 2_048], framing="chunked")

    def others_asked_at_once(in_line_s: float) -> bool:
        """Who was not in line when the first was answered waits for one of the others."""
        before = cached.asked
        cached.standin.hold()
        with ThreadPoolExecutor(4) as callers:
            answers = [callers.submit(cached.ask, key=key)]
            wait_until(lambda: cached.asked == before + 1, what="the first to be asked")
            answers += [callers.submit(cached.ask, key=key) for _ in range(3)]
            threading.Event().wait(in_line_s)
            cached.standin.release()
            cached.standin.hold()
            with suppress(AssertionError):
                wait_until(lambda: cached.asked == before + 4, within_s=10 * in_line_s)
            at_once = cached.asked == before + 4
            cached.standin.release()
            assert [each.result().status_code for each in answers] == [200] * 4
        return at_once

    cached.standin.on(cached.model, long)
    assert any(others_asked_at_once(in_line_s) for in_line_s in (0.3, 1.0, 4.0))
