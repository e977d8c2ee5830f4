"""A caller with budgets and limits of its own."""

import itertools
from typing import Any

import httpx

from support.gateway import Gateway, chat_body, new_mark
from support.waiting import wait_until

_numbers = itertools.count(1_000_000)


def all_know(gateway: Gateway, *, workers: int = 1) -> None:
    """Wait until the workers know every quota that was set before: they learn of changes in their order."""
    name, number = new_mark(), next(_numbers)
    key = gateway.new_key(name=name)
    gateway.admin("PUT", "/limits", {"key": name, "unit": "requests", "window": "day", "limit": number})

    def told() -> bool:
        told = {
            gateway.post("/v1/chat/completions", chat_body(), key=key).headers.get("x-ratelimit-limit-requests")
            for _ in range(5 * workers)  # on a connection of its own each
        }
        return told == {str(number)}

    wait_until(told, what="every worker to know the quotas")


class Spender:
    """A new key."""

    def __init__(self, gateway: Gateway, **fields: object) -> None:
        self.gateway = gateway
        self.name = new_mark()
        self.key = gateway.new_key(name=self.name, **fields)

    def budget(self, usd: str, **fields: object) -> dict[str, Any]:
        """Give it a budget that the worker knows."""
        return self._put("/budgets", {"window": "day", "limit_usd": usd, "mode": "hard"} | fields)

    def limit(self, unit: str, limit: int, **fields: object) -> dict[str, Any]:
        """Give it a rate limit that the worker knows."""
        return self._put("/limits", {"unit": unit, "limit": limit} | fields)

    def chat(self, model: str = "frugal", **fields: object) -> httpx.Response:
        return self.gateway.post("/v1/chat/completions", chat_body(model, **fields), key=self.key)

    def settled_pico(self) -> int:
        """What the database has of all its budgets."""
        rows = self.gateway.query(
            "SELECT coalesce(sum(settled), 0) AS settled FROM quota_window w JOIN quota q ON q.id = w.quota_id "
            "JOIN api_key k ON k.id = q.key_id WHERE k.name = %s AND q.unit = 'usd'",
            self.name,
        )
        return int(rows[0]["settled"])

    def _put(self, path: str, fields: dict[str, object]) -> dict[str, Any]:
        found: dict[str, Any] = self.gateway.admin("PUT", path, {"key": self.name} | fields)
        all_know(self.gateway)
        return found
