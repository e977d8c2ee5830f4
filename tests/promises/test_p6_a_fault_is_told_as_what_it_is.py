"""P6: a fault is told as what it is: a code, a cause, a next step; a database that is down is 503, never 401."""

from collections.abc import Iterator

import httpx
import pytest

from support.gateway import STUB_CREDENTIAL, UNPRICED, Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.standin import StandIn, closed_port
from support.waiting import wait_until

UPSTREAM_FAULTS = {
    "malformed-json": (502, "upstream_malformed_reply"),
    "not-json": (502, "upstream_malformed_reply"),
    "empty": (502, "upstream_malformed_reply"),
    "json-array": (502, "upstream_malformed_reply"),
    "invalid-utf8": (502, "upstream_malformed_reply"),
    "short-body": (502, "upstream_connection_lost"),
    "close-before-head": (502, "upstream_connection_lost"),
    "reset-before-head": (502, "upstream_connection_lost"),
    "reset-in-body": (502, "upstream_connection_lost"),
    "garbage-head": (502, "upstream_connection_lost"),
    "hang-before-head": (504, "upstream_timeout"),
    "hang-after-head": (504, "upstream_timeout"),
    "gigabyte": (502, "upstream_reply_too_large"),
}


@pytest.mark.parametrize("model", UPSTREAM_FAULTS)
def test_a_provider_that_fails_has_a_code_a_cause_and_a_next_step(
    gateway: Gateway, hasty_gateway: Gateway, model: str
) -> None:
    mark = new_mark()
    gateway = hasty_gateway if "hang" in model else gateway
    answer = gateway.chat(model, user=mark)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == UPSTREAM_FAULTS[model]
    assert error["type"] == "upstream_error"
    assert "'stub'" in error["message"]
    assert error["message"].count(".") >= 2, "a cause and a next step"
    assert gateway.entry(mark)["error"] == error["code"]


def test_a_refused_connection_is_a_502(gateway: Gateway) -> None:
    with closed_port() as port:
        gateway.add_provider("closed", f"http://127.0.0.1:{port}/v1")
        gateway.set_price("closed", "plain")
        mark = new_mark()
        answer = gateway.post("/v1/chat/completions", chat_body(user=mark) | {"model": "closed/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    entry = gateway.entry(mark)
    assert (entry["outcome"], entry["charge_pico"]) == ("upstream_unreachable", 0)


@pytest.mark.parametrize("model", ["cut", "reset-stream", "hang-stream"])
def test_a_stream_that_breaks_ends_with_an_error_and_without_the_end_mark(
    gateway: Gateway, hasty_gateway: Gateway, model: str
) -> None:
    gateway = hasty_gateway if "hang" in model else gateway
    text = gateway.chat(model, stream=True).text
    assert '"error"' in text.split("\n\n")[-2]
    assert "[DONE]" not in text


def test_our_refusals_say_whether_to_try_again(gateway: Gateway, hasty_gateway: Gateway) -> None:
    unpriced = gateway.post("/v1/chat/completions", chat_body() | {"model": UNPRICED})
    assert unpriced.headers["x-should-retry"] == "false"
    assert hasty_gateway.chat("hang-before-head").headers["x-should-retry"] == "true"


def test_every_answer_carries_a_request_id_and_keeps_a_valid_one(gateway: Gateway) -> None:
    given = "01890a5d-ac96-774b-bcce-b302099a8057"
    for answer in (
        gateway.post("/v1/chat/completions", chat_body(), headers={"x-request-id": given}),
        gateway.post("/v1/chat/completions", b"{", headers={"x-request-id": given}),
        gateway.client.get("/v1/nothing", headers=gateway.headers() | {"x-request-id": given}),
    ):
        assert answer.headers["x-request-id"] == given
    fresh = gateway.post("/v1/chat/completions", chat_body(), headers={"x-request-id": "'; DROP TABLE"})
    assert fresh.headers["x-request-id"][14] == "7"


class Outage:
    """A Tollway whose database can be taken away."""

    def __init__(self, gateway: Gateway, server: PostgresServer) -> None:
        self.gateway, self.server = gateway, server


@pytest.fixture
def outage(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    """A server of its own that stops and starts again."""
    with (
        PostgresServer(tmp_path_factory.mktemp("outage-pg")) as server,
        running(tmp_path_factory.mktemp("outage") / "data", server.create(), standin) as gateway,
    ):
        yield Outage(gateway, server)


def test_a_database_that_is_away_is_a_503_for_strangers_and_nothing_at_all_for_known_callers(
    outage: Outage, standin: StandIn
) -> None:
    gateway = outage.gateway
    assert gateway.chat().is_success  # now the key is known
    stranger = gateway.new_key()
    outage.server.stop()
    try:
        marks = [new_mark() for _ in range(20)]
        assert all(gateway.chat(user=mark).is_success for mark in marks)
        refused = gateway.post("/v1/chat/completions", chat_body(), key=stranger)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "database_unavailable")
        assert refused.headers["retry-after"]
        admin = gateway.client.get("/api/v1/projects", headers=gateway.headers(gateway.admin_key))
        assert (admin.status_code, admin.json()["code"]) == (503, "database_unavailable")
        assert admin.json()["next_step"]
    finally:
        outage.server.start()
    wait_until(lambda: all(gateway.entries(mark) for mark in marks), what="entries that waited in the journal")
    assert all(len(gateway.entries(mark)) == len(standin.marked(mark)) == 1 for mark in marks)
    again = wait_until(lambda: gateway.post("/v1/chat/completions", chat_body(), key=stranger).is_success)
    assert again


def test_errors_of_the_control_plane_are_problems_with_a_next_step(gateway: Gateway) -> None:
    answer = gateway.client.get("/api/v1/projects/no-such", headers=gateway.headers(gateway.admin_key))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert {"code", "title", "detail", "status", "next_step", "request_id"} <= answer.json().keys()
    assert STUB_CREDENTIAL not in answer.text
