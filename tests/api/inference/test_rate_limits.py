"""What callers see of rate limits: who is refused, who waits, and what the headers say."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx

from support import replies
from support.gateway import chat_body, new_mark
from support.spender import Spender
from support.standin import StandIn
from support.waiting import wait_until

RESET = re.compile(r"(\d+h)?(\d+m)?\d+m?s")


def ratelimit(answer: httpx.Response) -> dict[str, str]:
    """The headers of this name."""
    return {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}


def test_requests_beyond_the_limit_are_refused_and_told_when_to_come_again(spender: Spender, standin: StandIn) -> None:
    limit = spender.limit("requests", 3, window="day")
    mark = new_mark()
    answers = [spender.chat(user=mark) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert len(standin.marked(mark)) == 3
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "rate_limited"
    assert limit["id"] in refused.json()["error"]["message"]
    assert "3 requests a day" in refused.json()["error"]["message"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert refused.headers["x-should-retry"] == "true"


def test_every_answer_tells_limit_rest_and_reset_in_openais_form(spender: Spender) -> None:
    spender.limit("requests", 3, window="day")
    spender.limit("tokens", 1_000_000, window="day")
    answers = [spender.chat(), spender.chat(stream=True), spender.chat("broken"), spender.chat()]
    assert [answer.status_code for answer in answers] == [200, 200, 500, 429]
    told = [ratelimit(answer) for answer in answers]
    assert [each["x-ratelimit-remaining-requests"] for each in told] == ["2", "1", "0", "0"]
    assert {each["x-ratelimit-limit-requests"] for each in told} == {"3"}
    assert {each["x-ratelimit-limit-tokens"] for each in told} == {"1000000"}
    assert all(RESET.fullmatch(each["x-ratelimit-reset-requests"]) for each in told)
    assert all(0 < int(each["x-ratelimit-remaining-tokens"]) < 1_000_000 for each in told)


def test_of_several_limits_the_tightest_is_told(spender: Spender) -> None:
    spender.limit("requests", 100, window="day")
    spender.limit("requests", 5, window="hour")
    told = ratelimit(spender.chat())
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("5", "4")


def test_ours_replace_those_of_the_provider(spender: Spender, standin: StandIn) -> None:
    theirs = (("content-type", "application/json"), ("x-ratelimit-remaining-requests", "77"))
    standin.on("limited-itself", lambda received: replace(replies.plain(received), headers=theirs))
    assert ratelimit(spender.chat("limited-itself")) == {"x-ratelimit-remaining-requests": "77"}
    spender.limit("requests", 10, window="day")
    assert ratelimit(spender.chat("limited-itself"))["x-ratelimit-remaining-requests"] == "9"


def test_tokens_are_held_by_an_estimate_and_counted_by_the_provider(spender: Spender) -> None:
    spender.limit("output_tokens", 100, window="day")
    answers = [spender.chat(max_tokens=60) for _ in range(4)]  # each holds 60 and uses 20
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [ratelimit(answer)["x-ratelimit-remaining-tokens"] for answer in answers] == ["80", "60", "40", "40"]


def test_no_more_run_in_parallel_than_allowed(spender: Spender, standin: StandIn) -> None:
    spender.limit("parallel", 1)
    standin.hold()
    mark = new_mark()
    with ThreadPoolExecutor() as callers:
        running_one = callers.submit(spender.chat, "held", stream=True, user=mark)
        wait_until(lambda: standin.marked(mark))
        refused = spender.chat()
        standin.release()
        assert running_one.result().is_success
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert spender.chat().is_success


def test_a_request_may_wait_for_its_turn_instead(spender: Spender) -> None:
    spender.limit("parallel", 2, queue_s=60)
    with ThreadPoolExecutor(max_workers=12) as callers:
        statuses = Counter(answer.status_code for answer in callers.map(lambda _: spender.chat(), range(12)))
    assert statuses == {200: 12}


def test_nobody_waits_for_a_turn_longer_than_its_caller_does(spender: Spender, standin: StandIn) -> None:
    spender.limit("parallel", 1, queue_s=60)
    standin.hold()
    mark = new_mark()
    with ThreadPoolExecutor() as callers:
        running_one = callers.submit(spender.chat, "held", stream=True, user=mark)
        wait_until(lambda: standin.marked(mark))
        hasty = {"x-tollway-timeout": "200ms"}
        refused = spender.gateway.post("/v1/chat/completions", chat_body(), key=spender.key, headers=hasty)
        standin.release()
        assert running_one.result().is_success
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")


def test_a_queue_lets_the_next_window_begin(spender: Spender) -> None:
    spender.limit("requests", 2, window="second", queue_s=60)
    with ThreadPoolExecutor(max_workers=6) as callers:
        statuses = Counter(answer.status_code for answer in callers.map(lambda _: spender.chat(), range(6)))
    assert statuses == {200: 6}


def test_a_refused_request_takes_nothing_of_the_other_limits(spender: Spender) -> None:
    spender.limit("requests", 1, window="day")
    spender.limit("tokens", 100_000, window="day")
    assert spender.chat().is_success
    before = ratelimit(spender.chat())["x-ratelimit-remaining-tokens"]
    assert ratelimit(spender.chat())["x-ratelimit-remaining-tokens"] == before
