"""A caller with budgets and limits of its own."""

import itertools
import socket
from collections.abc import Mapping
from typing import Any

import httpx

from support import raw
from support.gateway import Gateway, chat_body, new_mark
from support.waiting import early_in, wait_until

_VISIT = "/v1/responses/any"
"""Counts in limits of requests, and asks no provider."""
_numbers = itertools.count(1_000_000)


def all_know(gateway: Gateway) -> None:
    """Wait until the workers know every quota that was set before: they learn of changes in their order."""
    name, number = new_mark(), next(_numbers)
    key = gateway.new_key(name=name)
    gateway.admin("PUT", "/limits", {"key": name, "unit": "requests", "window": "day", "limit": number})
    if gateway.workers == 1:
        visit = gateway.client.build_request("GET", _VISIT, headers=gateway.headers(key))
        wait_until(lambda: _limit(gateway.client.send(visit).headers) == number, what="the worker to know the quotas")
        return
    knowing: set[int] = set()

    def known() -> bool:
        worker_id, headers = _ask_one(gateway, key)
        knowing.update({worker_id} if _limit(headers) == number else ())
        return knowing >= {worker.pid for worker in gateway.serving_workers()}

    wait_until(known, what="every worker to know the quotas")


def _limit(headers: Mapping[str, str]) -> int:
    return int(headers.get("x-ratelimit-limit-requests", 0))


def _ask_one(gateway: Gateway, key: str) -> tuple[int, Mapping[str, str]]:
    """Ask over a connection of its own, which any worker may take: the id of its process, and what it answers."""
    sent = raw.request(_VISIT, b"", key=key, method="GET").replace(b"connection: close\r\n", b"")
    with socket.create_connection(raw.address(gateway.url), timeout=60) as connection:
        connection.sendall(sent)
        headers = raw.read_answer(connection).headers
        own = connection.getsockname()[1]
        for worker in gateway.serving_workers():
            if any(each.raddr and each.raddr.port == own for each in worker.net_connections("tcp")):
                return worker.pid, headers
    return 0, {}


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
        early_in(str(fields.get("window")))
        found: dict[str, Any] = self.gateway.admin("PUT", path, {"key": self.name} | fields)
        all_know(self.gateway)
        return found
