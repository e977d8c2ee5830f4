"""P3: no price is guessed: an unknown price refuses the request, or flags it; money is an integer, never a float."""

from decimal import Decimal

import pytest

from support.gateway import UNPRICED, Gateway, chat_body, expected_charge_pico, new_mark
from support.standin import StandIn
from support.waiting import wait_until

SURFACES = [
    ("/v1/chat/completions", {"messages": []}),
    ("/v1/completions", {"prompt": "Say"}),
    ("/v1/embeddings", {"input": "a"}),
]


@pytest.fixture(scope="module")
def lenient_key(gateway: Gateway) -> str:
    """A key of a project that allows models without a price."""
    gateway.admin("POST", "/projects", {"name": "lenient", "allow_unpriced": True})
    return gateway.new_key("lenient")


@pytest.mark.parametrize(("path", "fields"), SURFACES)
def test_a_model_without_a_price_is_refused_and_never_asked(
    gateway: Gateway, standin: StandIn, path: str, fields: dict[str, object]
) -> None:
    mark = new_mark()
    answer = gateway.post(path, {"model": UNPRICED, "user": mark} | fields)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "model_not_priced"
    assert "tollway prices set" in answer.json()["error"]["message"]
    assert not standin.marked(mark)


def test_a_project_that_allows_it_gets_an_entry_that_is_flagged_and_not_free_by_accident(
    gateway: Gateway, lenient_key: str
) -> None:
    mark = new_mark()
    assert gateway.post("/v1/chat/completions", chat_body(user=mark) | {"model": UNPRICED}, key=lenient_key).is_success
    entry = gateway.entry(mark)
    assert entry["priced"] is False
    assert entry["usage_input"] > 0
    assert entry["lines"] == []


def test_a_model_priced_at_zero_is_priced(gateway: Gateway) -> None:
    gateway.set_price("stub", "free-on-purpose", {"input": "0", "output": "0"})
    wait_until(lambda: gateway.chat("free-on-purpose").headers["x-tollway-cost"] == "0")  # the news takes a moment
    mark = new_mark()
    assert gateway.chat("free-on-purpose", user=mark).headers["x-tollway-cost"] == "0"
    entry = gateway.entry(mark)
    assert (entry["priced"], entry["charge_pico"]) == (True, 0)


def test_the_charge_is_the_providers_count_times_the_price_to_the_pico_dollar(
    gateway: Gateway, standin: StandIn
) -> None:
    mark = new_mark()
    answer = gateway.chat(user=mark)
    tokens = standin.marked(mark)[0].tokens
    assert tokens is not None
    entry = gateway.entry(mark)
    assert entry["charge_pico"] == expected_charge_pico(tokens)
    assert sum(line["amount"] for line in entry["lines"]) == entry["charge_pico"]
    assert Decimal(answer.headers["x-tollway-cost"]) * 10**12 == entry["charge_pico"]


def test_a_stream_tells_its_cost_right_before_the_end_mark(gateway: Gateway) -> None:
    mark = new_mark()
    events = gateway.chat(user=mark, stream=True).text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    told = events[-3].removeprefix(": x-tollway-cost ")
    assert Decimal(told) * 10**12 == gateway.entry(mark)["charge_pico"]


def test_no_column_of_the_database_is_a_float(gateway: Gateway) -> None:
    floats = gateway.query(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type IN ('real', 'double precision', 'money')"
    )
    assert floats == []
