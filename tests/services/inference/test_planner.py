"""A target that the planner remembers is the one that holds now: whatever is changed, the next requests obey."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from support.gateway import Gateway, new_mark
from support.spender import Spender
from support.standin import StandIn
from support.waiting import wait_until

NEW_CREDENTIAL = "sk-the-next-one"


@dataclass
class Remembered:
    """A key that has asked an alias of a provider of its own, often enough that the planner remembers the target."""

    gateway: Gateway
    standin: StandIn
    spender: Spender
    provider: str
    alias: str

    def ask(self) -> tuple[httpx.Response, str]:
        """One request, and its mark."""
        mark = new_mark()
        body = {"model": self.alias, "messages": [{"role": "user", "content": "Say something."}], "user": mark}
        return self.gateway.post("/v1/chat/completions", body, key=self.spender.key), mark

    def cost(self, answer: httpx.Response) -> Decimal:
        """What an answer cost, in millionths of a dollar."""
        return Decimal(answer.headers["x-tollway-cost"]) * 1_000_000

    def tokens(self, mark: str) -> int:
        """What the provider counted."""
        return sum(self.standin.marked(mark)[0].tokens or ())

    def heard(self, mark: str) -> list[tuple[str, str | None]]:
        """What the provider heard of a request: model, and credential."""
        return [(each.model, each.header("authorization")) for each in self.standin.marked(mark)]


@pytest.fixture
def remembered(gateway: Gateway, standin: StandIn) -> Remembered:
    provider, alias = new_mark(), new_mark()
    gateway.add_provider(provider, standin.base_url)
    gateway.set_price(provider, "*", {"input": "1", "output": "1"})
    gateway.admin("PUT", f"/aliases/default/{alias}", {"target": f"{provider}/plain"})
    made = Remembered(gateway, standin, Spender(gateway), provider, alias)
    wait_until(lambda: made.ask()[0].is_success, what="the worker to know the alias")
    answer, mark = made.ask()
    assert made.cost(answer) == made.tokens(mark) > 0
    return made


def change_price(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    it.gateway.set_price(it.provider, "*", {"input": "2", "output": "2"})
    return lambda answer, mark: it.cost(answer) == 2 * it.tokens(mark)


def rotate_credential(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    it.gateway.admin("PATCH", f"/providers/{it.provider}", {"credential": NEW_CREDENTIAL})
    return lambda _, mark: it.heard(mark) == [("plain", f"Bearer {NEW_CREDENTIAL}")]


def point_elsewhere(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    it.gateway.admin("PUT", f"/aliases/default/{it.alias}", {"target": f"{it.provider}/gpt"})
    return lambda _, mark: [model for model, _ in it.heard(mark)] == ["gpt"]


def point_to_several(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    targets: list[dict[str, Any]] = [{"provider": it.provider, "model": model} for model in ("gpt", "plain")]
    targets[1]["priority"] = 1
    it.gateway.admin("PUT", f"/aliases/default/{it.alias}", {"route": {"targets": targets}})
    return lambda _, mark: [model for model, _ in it.heard(mark)] == ["gpt"]


def remove_provider(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    it.gateway.admin("DELETE", f"/aliases/default/{it.alias}")
    it.gateway.admin("DELETE", f"/providers/{it.provider}")
    return lambda answer, mark: answer.status_code == httpx.codes.NOT_FOUND and not it.heard(mark)


def use_up_budget(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    it.spender.budget("0.000001")
    return lambda answer, mark: answer.status_code == httpx.codes.PAYMENT_REQUIRED and not it.heard(mark)


def revoke_key(it: Remembered) -> Callable[[httpx.Response, str], bool]:
    (key,) = it.gateway.query("SELECT id FROM api_key WHERE name = %s", it.spender.name)
    it.gateway.admin("POST", f"/keys/{key['id']}/revoke")
    return lambda answer, mark: answer.status_code == httpx.codes.UNAUTHORIZED and not it.heard(mark)


CHANGES = [
    change_price,
    rotate_credential,
    point_elsewhere,
    point_to_several,
    remove_provider,
    use_up_budget,
    revoke_key,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_changed_is_obeyed_by_the_next_requests_and_by_all_later_ones(
    remembered: Remembered, change: Callable[[Remembered], Callable[[httpx.Response, str], bool]]
) -> None:
    obeys = change(remembered)
    wait_until(lambda: obeys(*remembered.ask()), what="the change to be obeyed")
    assert all(obeys(*remembered.ask()) for _ in range(3))
