"""Every dialect x every wire format x plain, stream, tools, structured output, images, reasoning, error, disconnect.

The provider is a stand-in that speaks the format (`support.speakers`), the caller reads its answer by hand
(`support.callers`): nothing of Tollway's own parsing is used to judge it.
"""

import json
from collections.abc import Iterator

import httpx
import pytest

from support.callers import CALLERS, PIXEL, SCHEMA, Caller, told
from support.gateway import Gateway
from support.speakers import SPEAKERS, all_speaking, model_of
from support.speakers.said import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, SAID
from support.standin import Received, StandIn
from support.waiting import wait_until

SCENARIOS = ("text", "tools", "json", "thinking", "length")
each_mode = pytest.mark.parametrize("mode", ["plain", "stream"])
each_caller = pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
each_speaker = pytest.mark.parametrize("format_name", SPEAKERS)


class World:
    """A Tollway with one provider for each wire format."""

    def __init__(self, gateway: Gateway, heard: dict[str, StandIn]) -> None:
        self.gateway = gateway
        self.heard = heard

    def ask(
        self, caller: Caller, format_name: str, scenario: str, *, streamed: bool = False, feature: str = ""
    ) -> httpx.Response:
        body = caller.ask(f"{format_name}/{SPEAKERS[format_name].prefix}{scenario}", streamed, feature or scenario)
        return self.gateway.post(caller.path, body)

    def sent(self, format_name: str) -> Received:
        """What the provider was asked last."""
        return self.heard[format_name].received[-1]


@pytest.fixture(scope="module")
def world(quota_gateway: Gateway) -> Iterator[World]:
    gateway = quota_gateway.tenant()
    with all_speaking() as heard:
        for name, speaker in SPEAKERS.items():
            fields = {"spec": speaker.spec, "credential": speaker.credential}
            if speaker.options:
                fields["options"] = dict(speaker.options)
            gateway.add_provider(name, heard[name].base_url, **fields)
            gateway.set_price(name, "*")
        yield World(gateway, heard)


@each_caller
@each_speaker
@pytest.mark.parametrize("scenario", SCENARIOS)
@each_mode
def test_the_caller_is_told_what_the_provider_said(
    world: World, caller: Caller, format_name: str, scenario: str, mode: str
) -> None:
    speaker, said = SPEAKERS[format_name], SAID[scenario]
    answer = world.ask(
        caller, format_name, scenario, streamed=mode == "stream", feature="text" if scenario == "length" else ""
    )
    assert answer.status_code == 200, answer.text
    heard = told(caller, answer, streamed=mode == "stream")
    assert heard.ended
    assert heard.text == said.text
    if speaker.tells_thinking:
        assert heard.thinking == said.thinking
    assert [(name, arguments) for _, name, arguments in heard.calls] == [
        (name, json.loads(arguments)) for _, name, arguments in said.calls
    ]
    assert len({id_ for id_, _, _ in heard.calls}) == len(said.calls)
    assert heard.stop == caller.stops[said.stop]
    cached = CACHED_TOKENS if speaker.cached else 0
    assert heard.usage == (INPUT_TOKENS, cached, OUTPUT_TOKENS)


@each_caller
@each_speaker
@each_mode
def test_the_ledger_has_the_providers_own_count(world: World, caller: Caller, format_name: str, mode: str) -> None:
    answer = world.ask(caller, format_name, "text", streamed=mode == "stream")
    id_ = answer.headers["x-request-id"]
    rows = wait_until(
        lambda: world.gateway.query("SELECT * FROM ledger_entry WHERE request_id = %s", id_), what="the entry"
    )
    (row,) = rows
    assert (row["outcome"], row["usage_source"], row["provider"]) == ("ok", "provider", format_name)
    assert row["usage_input"] + row["usage_cache_read"] == INPUT_TOKENS
    assert row["usage_output"] + row["usage_reasoning"] == OUTPUT_TOKENS
    assert row["charge_pico"] > 0


@each_caller
@each_speaker
def test_an_image_reaches_the_provider(world: World, caller: Caller, format_name: str) -> None:
    answer = world.ask(caller, format_name, "text", feature="image")
    if answer.status_code == 400:
        assert answer.json()["error"].get("code", "unsupported_field") == "unsupported_field"
        pytest.skip("refused by name: the provider takes no images")
    assert answer.status_code == 200, answer.text
    assert PIXEL.encode() in world.sent(format_name).body


@each_caller
@each_speaker
def test_tools_and_schemas_reach_the_provider(world: World, caller: Caller, format_name: str) -> None:
    assert world.ask(caller, format_name, "tools").status_code == 200
    asked = world.sent(format_name).body
    assert all(word in asked for word in (b"weather", b"clock", b"days"))
    assert world.ask(caller, format_name, "json").status_code == 200
    assert _holds(json.loads(world.sent(format_name).body), SCHEMA)


@each_caller
@each_speaker
@each_mode
@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_a_refusal_comes_in_the_callers_envelope(
    world: World, caller: Caller, format_name: str, mode: str, status: int
) -> None:
    answer = world.ask(caller, format_name, f"error-{status}", streamed=mode == "stream", feature="text")
    assert answer.status_code >= 400
    assert "words-of-the-provider" in caller.error_of(answer.json())
    assert answer.headers["content-type"].startswith("application/json")
    assert "x-tollway-cost" in answer.headers


@each_caller
@each_speaker
def test_half_a_stream_has_no_end_mark(world: World, caller: Caller, format_name: str) -> None:
    answer = world.ask(caller, format_name, "cut", streamed=True, feature="text")
    heard = caller.read_stream(answer.content)
    assert not heard.ended
    assert heard.error
    assert SAID["text"].text.startswith(heard.text)


@each_speaker
def test_the_model_that_is_asked_is_the_one_that_was_named(world: World, format_name: str) -> None:
    world.ask(CALLERS["chat"], format_name, "text")
    assert model_of(world.sent(format_name)) == SPEAKERS[format_name].prefix + "text"


def _holds(value: object, wanted: dict[str, object]) -> bool:
    """Whether the object stands somewhere in the value, with more members perhaps; also as JSON in a text."""
    if isinstance(value, dict):
        if value.get("properties") == wanted["properties"]:
            return True
        return any(_holds(inner, wanted) for inner in value.values())
    if isinstance(value, list):
        return any(_holds(inner, wanted) for inner in value)
    if isinstance(value, str) and '"properties"' in value:
        return '"city"' in value
    return False
