"""`tollway route`, on a running gateway."""

import pytest

from support.command import Command
from support.gateway import Gateway, new_mark
from support.waiting import wait_until
from tollway.constants import SHADOW_TAG


def _copied(gateway: Gateway, alias: str, mark: str) -> bool:
    """Ask once more; whether an entry of a shadow has landed."""
    gateway.post("/v1/chat/completions", {"model": alias, "messages": [], "user": mark}).raise_for_status()
    return any(SHADOW_TAG in entry["tags"] for entry in gateway.entries(mark))


@pytest.fixture
def alias(tollway: Command) -> str:
    """An alias of the first project with two targets, a canary that nobody reaches, and a shadow."""
    name = new_mark()
    options = ("--priority", "stub/gpt=1", "--canary", "stub/new=0", "--shadow", "unpriced/plain=0")
    tollway.ok("aliases", "set", name, "stub/plain", "stub/gpt", *options)
    return name


def test_a_route_is_explained_with_prices_and_reasons(tollway: Command, alias: str) -> None:
    size = ("--input-tokens", "1000", "--output-tokens", "100")
    found = tollway.ok("route", "explain", alias, *size, "--needs", "tools", "--json").json
    assert [attempt["target"] for attempt in found["attempts"]] == ["stub/plain", "stub/gpt"]
    first = found["attempts"][0]
    assert (first["breaker"], first["credentials"], first["credentials_resting"]) == ("closed", 1, 0)
    # 2.50 and 10 USD per million: what the stand-in costs.
    assert (first["input_usd_per_million"], first["output_usd_per_million"]) == ("2.5", "10")
    assert first["expected_usd"] == "0.0035"
    assert {left["target"] for left in found["left_out"]} == {"stub/new", "unpriced/plain"}
    assert (found["is_alias"], found["strategy"]) == (True, "priority")
    shown = tollway.ok("route", "explain", alias)
    assert "priority 0" in shown.out
    assert "canary: only answers 0 %" in shown.out
    assert "Strategy priority, at the most 3 attempts" in shown.err
    direct = tollway.ok("route", "explain", "stub/plain", "--json").json
    assert (direct["is_alias"], [attempt["target"] for attempt in direct["attempts"]]) == (False, ["stub/plain"])
    unknown = tollway("route", "explain", "nothing")
    assert (unknown.code, "does not exist" in unknown.err) == (1, True)


def test_a_key_is_explained_what_it_may_use(tollway: Command, alias: str) -> None:
    key = new_mark()
    tollway.ok("keys", "create", "--name", key, "--project", "default", "--model", "other/*")
    told = tollway("route", "explain", alias, "--key", key)
    assert (told.code, "may not use" in told.err) == (1, True)


def test_what_was_answered_is_reported_by_target(tollway: Command, gateway: Gateway, alias: str) -> None:
    mark = new_mark()
    answer = gateway.post("/v1/chat/completions", {"model": alias, "messages": [], "user": mark})
    assert answer.is_success, answer.text
    gateway.entry(mark)
    found = tollway.ok("route", "report", alias, "--since", "1h", "--json").json
    assert [(row["target"], row["role"], row["requests"]) for row in found["data"]] == [("stub/plain", "target", 1)]
    assert "stub/plain" in tollway.ok("route", "report", alias).out
    shadow = new_mark()
    tollway.ok("aliases", "set", alias, "stub/plain", "--shadow", "stub/gpt=100")
    wait_until(lambda: _copied(gateway, alias, shadow), what="a request that is copied")
    found = tollway.ok("route", "report", alias, "--json").json["data"]
    assert ("stub/gpt", "shadow") in {(row["target"], row["role"]) for row in found}
    assert "Nothing was asked" in tollway.ok("route", "report", "nothing").err
