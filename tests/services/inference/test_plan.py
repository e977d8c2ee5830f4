"""What was made a moment ago is there for the next request, in a worker that has not heard the announcement yet."""

from support.gateway import Gateway, new_mark
from support.standin import StandIn


def test_a_provider_and_its_price_serve_the_very_next_request(gateway: Gateway, standin: StandIn) -> None:
    for _ in range(5):
        name = new_mark()
        gateway.add_provider(name, standin.base_url)
        gateway.set_price(name, "plain")
        body = {"model": f"{name}/plain", "messages": [{"role": "user", "content": "Say something."}]}
        answer = gateway.post("/v1/chat/completions", body)
        assert answer.status_code == 200, answer.text
