"""What callers see of budgets: who is refused, whose answer is shortened, what goes upstream, what is charged."""

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest

from support import raw
from support.gateway import UNPRICED, Gateway, chat_body, expected_charge_pico, new_mark
from support.replies import DONE, SSE, event, stream_events, usage_object
from support.spender import Spender
from support.standin import Hold, Received, Reply, StandIn
from support.waiting import wait_until
from tollway.ledger.usage import KINDS


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"] if answer.is_error else ""


def test_a_request_that_the_budget_does_not_cover_is_refused_in_words_and_must_not_be_retried(
    spender: Spender, standin: StandIn
) -> None:
    budget = spender.budget("0.0001")
    mark = new_mark()
    answer = spender.chat(user=mark, max_tokens=20)
    assert code(answer) == (402, "budget_exceeded")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-tollway-cost"] == "0"
    message = answer.json()["error"]["message"]
    assert "This key's budget has 0.0001 USD left of 0.0001 USD a day" in message
    assert "It resets at 20" in message
    assert budget["id"] in message
    assert not standin.marked(mark)
    assert not spender.gateway.entries(mark)


def test_what_a_request_cost_is_settled_once_and_to_the_pico_dollar(spender: Spender, standin: StandIn) -> None:
    spender.budget("1")
    spender.budget("2", window="month")
    marks = [new_mark() for _ in range(5)]
    assert all(spender.chat(user=mark).is_success for mark in marks)
    counted = [received.tokens for mark in marks for received in standin.marked(mark)]
    cost = sum(expected_charge_pico(tokens) for tokens in counted if tokens)
    wait_until(lambda: spender.settled_pico() == 2 * cost, what="both budgets to have it")


def test_an_error_of_the_provider_costs_nothing(spender: Spender) -> None:
    spender.budget("1")
    assert [spender.chat(model).status_code for model in ("broken", "rate-limited")] == [500, 429]
    mark = new_mark()
    assert spender.chat(user=mark).is_success
    charge = spender.gateway.entry(mark)["charge_pico"]
    wait_until(lambda: spender.settled_pico() == charge)


@pytest.mark.parametrize("charged", ["bound", "estimate"])
def test_where_nobody_counted_a_strict_budget_is_charged_the_bound(spender: Spender, charged: str) -> None:
    spender.budget("1", strict=charged == "bound")
    mark = new_mark()
    answer = spender.chat("no-usage", user=mark, max_tokens=1_000)
    assert answer.is_success
    entry = spender.gateway.entry(mark)
    assert entry["usage_source"] == "estimated"
    wait_until(spender.settled_pico, what="the budget to be charged")
    rounding = -(-len(KINDS) // 2)
    bound = expected_charge_pico((len(answer.request.content) + 64, 1_000)) + rounding
    assert spender.settled_pico() == (bound if charged == "bound" else entry["charge_pico"])


def leave_in_mid_stream(spender: Spender, standin: StandIn, model: str) -> None:
    """Ask for 900 tokens, leave after the first event, and wait until that is settled."""
    body = json.dumps(chat_body(model, stream=True, max_tokens=900)).encode()
    standin.hold()
    with socket.create_connection(raw.address(spender.gateway.url), timeout=60) as connection:
        connection.sendall(raw.request("/v1/chat/completions", body, key=spender.key))
        received = b""
        while b"data:" not in received:
            received += connection.recv(raw.READ_BYTES)
    wait_until(spender.settled_pico)
    standin.release()  # only now: a worker that is behind would read the end of the stream before it sees who left


def test_a_caller_who_leaves_gives_the_rest_back(spender: Spender, standin: StandIn) -> None:
    spender.budget("0.02")
    leave_in_mid_stream(spender, standin, "held")
    assert spender.chat(max_tokens=500).is_success


def counted_as_it_goes(received: Received) -> Reply:
    """A stream that reports with every chunk what it has counted so far, and is held after the first."""
    first, *rest = stream_events(received)
    counted = json.loads(first.removeprefix(b"data: ")) | {"usage": usage_object((10, 1))}
    return Reply([event(counted), Hold(), *rest, DONE], headers=SSE, framing="chunked", tokens=(10, 900))


def test_who_leaves_early_is_not_charged_by_a_count_of_the_part(spender: Spender, standin: StandIn) -> None:
    spender.budget("1")
    standin.on("counted-as-it-goes", counted_as_it_goes)
    leave_in_mid_stream(spender, standin, "counted-as-it-goes")
    assert spender.settled_pico() >= expected_charge_pico((10, 900))


def test_an_answer_is_shortened_to_what_the_budget_covers(spender: Spender, standin: StandIn) -> None:
    spender.budget("0.01")
    mark = new_mark()
    answer = spender.chat(user=mark, max_tokens=5_000)
    assert answer.is_success
    (received,) = standin.marked(mark)
    sent = received.json["max_tokens"]
    assert isinstance(sent, int)
    assert answer.headers["x-tollway-clamped"] == f"max_tokens={sent}"
    bound = expected_charge_pico((len(answer.request.content) + 64, sent))
    assert Decimal("0.0099") < Decimal(bound) / 10**12 <= Decimal("0.01")


def test_a_project_can_choose_to_refuse_instead(quota_gateway: Gateway) -> None:
    quota_gateway.admin("POST", "/projects", {"name": "exact", "clamp_output": False})
    exact = Spender(quota_gateway, project="exact")
    exact.budget("0.01", project="exact")
    assert code(exact.chat(max_tokens=5_000)) == (402, "budget_exceeded")
    assert exact.chat(max_tokens=500).is_success


def test_an_answer_that_nothing_bounds_gets_the_default_bound_under_a_hard_budget_only(
    spender: Spender, standin: StandIn
) -> None:
    free, bound = new_mark(), new_mark()
    assert "x-tollway-clamped" not in spender.chat(user=free).headers
    spender.budget("1")
    answer = spender.chat(user=bound)
    assert answer.headers["x-tollway-clamped"] == "max_tokens=3000"
    assert "max_tokens" not in standin.marked(free)[0].json
    assert standin.marked(bound)[0].json["max_tokens"] == 3_000


@pytest.mark.parametrize("fields", [{"Max_Tokens": 90_000}, {"models": ["dear"]}, {"tools": [{"type": "web_search"}]}])
def test_a_request_that_no_bound_covers_is_refused_under_a_hard_budget_only(
    spender: Spender, standin: StandIn, fields: dict[str, object]
) -> None:
    spender.budget("1", mode="soft")
    assert spender.chat(max_tokens=5, **fields).is_success
    spender.budget("1")
    mark = new_mark()
    answer = spender.chat(user=mark, max_tokens=5, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in fields
    assert not standin.marked(mark)


def test_a_bound_in_a_field_that_the_provider_may_not_heed_is_sent_in_its_own_as_well(
    spender: Spender, standin: StandIn
) -> None:
    spender.budget("1")
    mark = new_mark()
    answer = spender.chat(user=mark, max_completion_tokens=77)
    heard = standin.marked(mark)[0].json
    assert (heard["max_completion_tokens"], heard["max_tokens"]) == (77, 77)
    assert "x-tollway-clamped" not in answer.headers


def test_a_bound_that_is_there_twice_is_refused_whichever_a_provider_takes(spender: Spender, standin: StandIn) -> None:
    spender.budget("1")
    mark = new_mark()
    twice = b'{"model":"stub/frugal","max_tokens":9000000,"messages":[],"user":"%b","max_tokens":10}' % mark.encode()
    answer = spender.gateway.post("/v1/chat/completions", twice, key=spender.key)
    assert (*code(answer), answer.json()["error"]["param"]) == (400, "invalid_request", "max_tokens")
    assert not standin.marked(mark)


@pytest.mark.parametrize("value", ["many", 1.5, True, [1]])
def test_a_bound_that_is_no_number_is_a_mistake_of_the_caller(spender: Spender, value: object) -> None:
    spender.budget("1")
    answer = spender.chat(max_tokens=value)
    assert code(answer) == (400, "invalid_request")
    assert answer.json()["error"]["param"] == "max_tokens"


def test_a_model_without_a_price_is_refused_under_a_hard_budget_even_if_the_project_allows_it(
    quota_gateway: Gateway,
) -> None:
    quota_gateway.admin("POST", "/projects", {"name": "lenient", "allow_unpriced": True})
    lenient = Spender(quota_gateway, project="lenient")
    unpriced = chat_body() | {"model": UNPRICED}
    assert quota_gateway.post("/v1/chat/completions", unpriced, key=lenient.key).is_success
    lenient.budget("1", project="lenient")
    answer = quota_gateway.post("/v1/chat/completions", unpriced, key=lenient.key)
    assert code(answer) == (422, "model_not_priced")


def test_a_soft_budget_counts_and_never_refuses(spender: Spender) -> None:
    spender.budget("0.00001", mode="soft")
    marks = [new_mark(), new_mark()]
    assert all(spender.chat(user=mark).is_success for mark in marks)
    charged = sum(spender.gateway.entry(mark)["charge_pico"] for mark in marks)
    wait_until(lambda: spender.settled_pico() == charged)


def test_raising_pausing_and_removing_take_effect_at_once(spender: Spender) -> None:
    budget = spender.budget("0.0001")
    path = f"/budgets/{budget['id']}"
    assert code(spender.chat(max_tokens=20))[0] == 402
    spender.gateway.admin("PATCH", path, {"limit_usd": "0.01"})
    wait_until(lambda: spender.chat(max_tokens=20).is_success)
    spender.gateway.admin("PATCH", path, {"limit_usd": "0.0001"})
    wait_until(lambda: spender.chat(max_tokens=20).status_code == 402)
    spender.gateway.admin("PATCH", path, {"paused": True})
    wait_until(lambda: spender.chat(max_tokens=20).is_success)
    spender.gateway.admin("PATCH", path, {"paused": False})
    wait_until(lambda: spender.chat(max_tokens=20).status_code == 402)
    spender.gateway.admin("DELETE", path)
    wait_until(lambda: spender.chat(max_tokens=20).is_success)


def test_every_budget_that_applies_must_cover_the_request(spender: Spender, quota_gateway: Gateway) -> None:
    spender.budget("1")
    narrow = quota_gateway.admin(
        "PUT",
        "/budgets",
        {"key": spender.name, "model": "stub/frugal", "window": "total", "limit_usd": "0.0001", "mode": "hard"},
    )
    refused = spender.chat(max_tokens=20)
    assert code(refused)[0] == 402
    assert narrow["id"] in refused.json()["error"]["message"]
    assert spender.chat("plain", max_tokens=20).is_success


def test_each_end_user_can_have_the_amount(spender: Spender) -> None:
    spender.budget("0.0007", each=["user"])
    alice, bob = new_mark(), new_mark()
    assert spender.chat(user=alice, max_tokens=20).is_success
    assert code(spender.chat(user=alice, max_tokens=20))[0] == 402
    assert spender.chat(user=bob, max_tokens=20).is_success


def test_a_request_waits_for_what_running_ones_give_back(spender: Spender, standin: StandIn) -> None:
    spender.budget("0.011")
    standin.hold()
    mark = new_mark()
    with ThreadPoolExecutor() as callers:
        first = callers.submit(spender.chat, "held", stream=True, max_tokens=1_000, user=mark)
        wait_until(lambda: standin.marked(mark), what="the first request at the provider")
        second = callers.submit(spender.chat, max_tokens=100, user=new_mark())
        standin.release()
        first.result()
        assert code(second.result()) in {(200, ""), (402, "budget_exceeded")}


def test_nobody_waits_for_a_budget_longer_than_its_caller_does(spender: Spender, standin: StandIn) -> None:
    spender.budget("0.011")
    standin.hold()
    mark, hasty = new_mark(), new_mark()
    with ThreadPoolExecutor() as callers:
        first = callers.submit(spender.chat, "held", stream=True, max_tokens=1_000, user=mark)
        wait_until(lambda: standin.marked(mark), what="the first request at the provider")
        body, headers = chat_body("frugal", max_tokens=100, user=hasty), {"x-tollway-timeout": "200ms"}
        refused = spender.gateway.post("/v1/chat/completions", body, key=spender.key, headers=headers)
        standin.release()
        first.result()
    assert code(refused) == (504, "upstream_timeout")
    assert refused.headers["x-tollway-cost"] == "0"
    assert not standin.marked(hasty)


def test_where_bytes_would_not_fit_tokens_are_counted(spender: Spender) -> None:
    words = [{"role": "user", "content": "word " * 1_000}]
    spender.budget("0.004")  # a thousand words and twenty tokens are 0.0027 USD; five thousand bytes would be 0.0127
    assert code(spender.chat("frugal", messages=words, max_tokens=20))[0] == 402
    mark = new_mark()
    counted = spender.chat("gpt-4o-frugal", messages=words, max_tokens=20, user=mark)
    assert counted.is_success
    assert "x-tollway-clamped" not in counted.headers


def test_who_leaves_while_its_tokens_are_counted_keeps_nobody_else_from_being_counted(spender: Spender) -> None:
    spender.budget("0.004")
    long = chat_body("gpt-4o-frugal", messages=[{"role": "user", "content": "0aZ+" * 100_000}], max_tokens=20)
    sent = raw.request("/v1/chat/completions", json.dumps(long).encode(), key=spender.key)

    async def leave_all() -> None:
        await asyncio.gather(*(raw.exchange_async(spender.gateway.url, sent, leave_after_s=0.2) for _ in range(3)))

    asyncio.run(leave_all())
    words = [{"role": "user", "content": "word " * 1_000}]
    assert spender.chat("gpt-4o-frugal", messages=words, max_tokens=20).is_success


def test_a_budget_that_becomes_hard_while_a_request_waits_bounds_it(spender: Spender, standin: StandIn) -> None:
    spender.limit("parallel", 1, queue_s=60)
    spender.budget("1", mode="soft")
    standin.hold()
    first, second = new_mark(), new_mark()
    with ThreadPoolExecutor(2) as callers:
        running = callers.submit(spender.chat, "held", user=first, stream=True)
        wait_until(lambda: standin.marked(first), what="the first request at the provider")
        waiting = callers.submit(spender.chat, user=second)
        spender.budget("1")
        standin.release()
        assert running.result().is_success
        assert waiting.result().is_success
    assert standin.marked(second)[0].json["max_tokens"] == 3_000
