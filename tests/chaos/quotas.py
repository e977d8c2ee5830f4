"""The budgets and limits of a run as Tollway has them: made over its API, and changed while it runs."""

import asyncio
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import psutil

from chaos.cast import PICO, Budget, Cast, Limit, Scope
from chaos.watch import Spending
from support.gateway import Gateway
from support.spender import all_know

_FACTORS = (0.6, 0.8, 1.3, 2.0)
_TRIES, _RETRIES_AFTER_S = 5, 0.7
_SURELY_IN_FORCE_S = 3.0
"""Three times what is promised, and whether every worker knows of it is asked all the same."""

Calm = Callable[[int, int], bool]
"""Whether nothing was wrong with the database and the workers between two times, in epoch microseconds."""


class Quotas:
    """Makes them and changes them.

    Attributes:
        ids: of budgets and limits, by name.
        changed: names of those that did not keep their amount.
    """

    def __init__(self, gateway: Gateway, people: Cast) -> None:
        self._gateway = gateway
        self._people = people
        self.ids: dict[str, str] = {}
        self.changed: set[str] = set()

    def make(self) -> None:
        """Make all of them; they are in force when this returns."""
        for budget in self._people.budgets:
            self.ids[budget.name] = self._gateway.admin("PUT", "/budgets", _budget_body(budget))["id"]
        for limit in self._people.limits:
            self.ids[limit.name] = self._gateway.admin("PUT", "/limits", _limit_body(limit))["id"]
        all_know(self._gateway)

    async def change(self, spending: Spending, rng: random.Random, calm: Calm) -> str:
        """Raise or lower a budget, and hold it to the new amount as soon as that must be in force.

        Returns:
            What was done.
        """
        amount = int(spending.amount * rng.choice(_FACTORS))
        self.changed.add(spending.budget.name)
        spending.allow(amount)
        done = await self._patch(f"/budgets/{self.ids[spending.budget.name]}", {"limit_usd": _usd(amount)})
        if not done:
            spending.amount = max(spending.amount, amount)  # nobody knows whether it was done
            return f"{spending.budget.name}: not changed"
        done_us = time.time_ns() // 1_000
        spending.amount = amount
        await asyncio.sleep(_SURELY_IN_FORCE_S)
        held_to_it = await self._all_know() and spending.amount == amount and calm(done_us, time.time_ns() // 1_000)
        if held_to_it:
            spending.lower(amount)
        return f"{spending.budget.name}: {_usd(amount)} USD{' at once' if held_to_it else ''}"

    async def _all_know(self) -> bool:
        """Whether every worker knows of the change; not in a fault."""
        try:
            await asyncio.to_thread(all_know, self._gateway)
        except (AssertionError, OSError, httpx.HTTPError, psutil.Error):
            return False
        return True

    async def _patch(self, path: str, body: dict[str, str]) -> bool:
        for _ in range(_TRIES):
            try:
                await asyncio.to_thread(self._gateway.admin, "PATCH", path, body)
            except httpx.HTTPError:
                await asyncio.sleep(_RETRIES_AFTER_S)
            else:
                return True
        return False


def _budget_body(budget: Budget) -> dict[str, Any]:
    window = f"rolling:{budget.length_s // 60}m" if budget.period == "rolling" else budget.period
    mode = "hard" if budget.hard else "soft"
    body = {"window": window, "limit_usd": _usd(budget.amount), "mode": mode, "strict": budget.strict}
    return _scope_body(budget.scope) | body


def _limit_body(limit: Limit) -> dict[str, Any]:
    window = None if limit.unit == "parallel" else limit.period
    body = {"unit": limit.unit, "window": window, "limit": limit.amount, "queue_s": limit.queue_s}
    return _scope_body(limit.scope) | body


def _scope_body(scope: Scope) -> dict[str, Any]:
    body: dict[str, Any] = dict(scope.where)
    if "team" in body:
        body["tag"] = {"name": "team", "value": body.pop("team")}
    return body | {"each": list(scope.each)}


def _usd(amount: int) -> str:
    return f"{Decimal(amount) / PICO:.12f}"
