"""What was made a moment ago is there for the next request, in a worker that has not heard the announcement yet."""

import pytest

from support.gateway import Gateway, chat_body, new_mark
from support.standin import StandIn


def test_a_provider_and_its_price_serve_the_very_next_request(gateway: Gateway, standin: StandIn) -> None:
    for _ in range(5):
        name = new_mark()
        gateway.add_provider(name, standin.base_url)
        gateway.set_price(name, "plain")
        body = {"model": f"{name}/plain", "messages": [{"role": "user", "content": "Say something."}]}
        answer = gateway.post("/v1/chat/completions", body)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("fields", [{"models": ["stub/dear"]}, {"Model": "dear"}])
def test_a_key_for_some_models_lets_no_other_one_answer(
    gateway: Gateway, standin: StandIn, fields: dict[str, object]
) -> None:
    path, mark = "/v1/chat/completions", new_mark()
    restricted = gateway.new_key(allowed_models=["stub/plain"])
    refused = gateway.post(path, chat_body(user=mark, **fields), key=restricted)
    assert refused.status_code == 403
    assert refused.json()["error"]["param"] in fields
    assert not standin.marked(mark)
    assert gateway.post(path, chat_body(), key=restricted).is_success
    assert gateway.post(path, chat_body(**fields)).is_success
