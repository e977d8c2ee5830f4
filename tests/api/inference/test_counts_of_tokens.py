"""Tokens are counted here for whoever asks, and nobody's texts keep another organization waiting for long."""

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import Event

from support.gateway import Gateway, new_mark
from support.waiting import wait_until
from tollway.constants import COUNTS_OWN_MAX

SLOW = b64encode(bytes(range(256)) * 800).decode()
"""As long as is counted, of what is counted slowest."""
ASKING = 2 * COUNTS_OWN_MAX


def a_key_of_another_organization(gateway: Gateway) -> str:
    name = new_mark()
    headers = gateway.headers(gateway.admin_key)
    gateway.client.post("/api/v1/organizations", json={"name": name}, headers=headers).raise_for_status()
    for path, body in (("projects", {"name": "web"}), ("keys", {"name": "web", "project": "web"})):
        made = gateway.client.post(f"/api/v1/{path}", json=body, headers=headers, params={"organization": name})
    return str(made.raise_for_status().json()["key"])


def test_an_organization_with_much_to_be_counted_is_slowed_down_and_another_one_is_not(gateway: Gateway) -> None:
    other, refused, heard = a_key_of_another_organization(gateway), [], Event()
    body = json.dumps({"model": "stub/plain", "messages": [{"role": "user", "content": SLOW}]}).encode()

    def ask() -> set[int]:
        found = set()
        while not heard.is_set():
            answer = gateway.post("/v1/messages/count_tokens", body)
            found.add(answer.status_code)
            if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                refused.append(answer)
        return found

    with ThreadPoolExecutor(ASKING) as pool:
        asking = [pool.submit(ask) for _ in range(ASKING)]
        try:
            wait_until(lambda: refused, what="somebody to be refused")
            counted = [
                gateway.post("/v1/responses/input_tokens", {"model": "any", "input": "Some."}, key=other)
                for _ in range(5)
            ]
        finally:
            heard.set()
    found = set().union(*(each.result() for each in asking))
    assert found == {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}
    assert [each.status_code for each in counted] == [HTTPStatus.OK] * 5
    error = refused[0].json()
    assert (error["type"], error["error"]["type"]) == ("error", "rate_limit_error")
    assert "of this organization wait for their tokens to be counted" in error["error"]["message"]
    assert refused[0].headers["retry-after"] == "1"
