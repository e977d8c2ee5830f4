"""The machine's clock steps back and forth: nothing is lost or doubled, and no step opens a new window of a budget."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.spender import all_know
from support.standin import StandIn
from support.waiting import early_in, wait_until

CHAT = "/v1/chat/completions"
DAY_S = 86_400
SHIM = """
import os, time
_now, _now_ns = time.time, time.time_ns
def _step_s():
    try:
        with open(os.environ["STEPPED_CLOCK"]) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
time.time = lambda: _now() + _step_s()
time.time_ns = lambda: _now_ns() + _step_s() * 10**9
"""
"""Python runs a `sitecustomize` before everything else: the processes of the gateway see a clock that the test sets."""


@dataclass(frozen=True)
class Stepped:
    """A Tollway whose machine has a clock that steps; the database's does not."""

    gateway: Gateway
    clock: Path

    def step(self, seconds: int) -> None:
        """Set the clock so far from the true time."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self.clock)

    def budget(self, key_name: str) -> dict[str, object]:
        found = self.gateway.admin("GET", "/budgets")["data"]
        budget: dict[str, object] = next(each for each in found if key_name in str(each))
        return budget


@pytest.fixture
def stepped(postgres_server: PostgresServer, standin: StandIn, tmp_path: Path) -> Iterator[Stepped]:
    shim, clock = tmp_path / "shim", tmp_path / "clock"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(SHIM)
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(shim), os.environ.get("PYTHONPATH")])),
        "STEPPED_CLOCK": str(clock),
        "TOLLWAY_DRAIN_INTERVAL_MS": "50",
    }
    with running(tmp_path / "data", postgres_server.create(), standin, **settings) as gateway:
        yield Stepped(gateway, clock)


def test_a_step_of_the_clock_loses_nothing_and_opens_no_new_window(stepped: Stepped, standin: StandIn) -> None:
    gateway, name = stepped.gateway, new_mark()
    key = gateway.new_key(name=name)
    scope = {"key": name, "window": "day", "mode": "hard"}
    early_in("day")
    gateway.admin("PUT", "/budgets", scope | {"limit_usd": "50"})
    all_know(gateway)
    marks = []
    for seconds in (0, 3_600, -3_600, DAY_S, -2 * DAY_S, 400 * DAY_S, 0):
        stepped.step(seconds)
        for stream in (False, True):
            marks.append(new_mark())
            answer = gateway.post(CHAT, chat_body(user=marks[-1], stream=stream, max_tokens=900), key=key)
            assert answer.status_code == 200, (seconds, answer.text)
    entries = [gateway.entry(mark) for mark in marks]
    assert {entry["outcome"] for entry in entries} == {"ok"}
    assert all(len(standin.marked(mark)) == 1 for mark in marks)
    assert entries[2]["admitted_at"] - entries[0]["admitted_at"] > timedelta(minutes=59), "the clock did not step"
    assert all(0 <= entry["duration_us"] < 60_000_000 for entry in entries)
    spent = sum(entry["charge_pico"] for entry in entries)
    wait_until(lambda: Decimal(str(stepped.budget(name)["settled_usd"])) * 10**12 == spent, what="all in one window")

    gateway.admin("PUT", "/budgets", scope | {"limit_usd": "0.000001"})
    wait_until(lambda: gateway.post(CHAT, chat_body(max_tokens=900), key=key).status_code == 402)
    for seconds in (DAY_S, -DAY_S, 40 * DAY_S):
        stepped.step(seconds)
        assert gateway.post(CHAT, chat_body(max_tokens=900), key=key).status_code == 402
