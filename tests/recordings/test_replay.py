"""Recorded exchanges go through Tollway: what arrives is what was recorded, and the usage and the charge are right."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import calc_price, extract_usage

from support.gateway import Gateway
from support.recordings import (
    PATH,
    SPECS,
    Recording,
    available,
    events,
    is_usage_chunk,
    raw_fields,
    recordings,
    told,
    told_usage,
)
from support.replies import recut
from support.standin import Received, Reply, StandIn
from support.waiting import wait_until
from tollway.ids import uuid7
from tollway.ledger.usage import INPUT_KINDS, OUTPUT_KINDS

pytestmark = pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")

COST_COMMENT = b": x-tollway-cost "
GROUPS = sorted({(row.provider, row.surface) for row in recordings()}) if available() else []
PICO_PER_USD = 10**12
PRICE_FLAVORS = {
    "openai": {"chat", "embeddings"},
    "groq": {"default"},
    "mistral": {"default"},
    "deepseek": {"chat"},
    "openrouter": {"chat"},
    "cerebras": {"chat"},
}
"""Providers whose usage the price library can read → the forms it knows of theirs."""


@pytest.fixture(scope="module")
def replay(quota_gateway: Gateway) -> Iterator["Replay"]:
    """A Tollway where every recorded provider is registered, and all of them are one stand-in."""
    scripted = Replay()
    gateway = quota_gateway.tenant()
    with StandIn(scripted.script) as standin:
        gateway.admin("PATCH", "/projects/default", {"allow_unpriced": True})
        for provider, spec in SPECS.items():
            gateway.add_provider(provider, standin.base_url, spec=spec, options={"object_ids": "any"})
        scripted.gateway, scripted.standin = gateway, standin
        yield scripted


class Replay:
    """Sends one recording at a time; the stand-in answers with what was recorded for it."""

    gateway: Gateway
    standin: StandIn

    def __init__(self) -> None:
        self._now: Recording | None = None

    def script(self, received: Received) -> Reply:
        assert self._now is not None
        headers = (("content-type", self._now.content_type),)
        if self._now.stream and self._now.status == 200:
            return Reply(recut(self._now.body, received.serial), headers=headers, framing="chunked")
        return Reply([self._now.body], status=self._now.status, headers=headers)

    def send(self, recording: Recording, request: dict[str, Any]) -> "Exchange":
        """Send the request through Tollway under an id of its own."""
        self._now = recording
        request_id = uuid7()
        body = json.dumps(request | {"model": f"{recording.provider}/{request['model']}"}).encode()
        heard_before = len(self.standin.received)
        answer = self.gateway.post(recording.path, body, headers={"x-request-id": request_id})
        heard = self.standin.received[heard_before:]
        again = recording.status == 429 or recording.status >= 500  # what is asked again
        assert 1 <= len(heard) <= (3 if again else 1), f"upstream heard {len(heard)} requests: {answer.text[:300]}"
        return Exchange(request_id, body, heard[0], answer.status_code, answer.content)


class Exchange:
    """What was sent, what upstream heard, what came back."""

    def __init__(self, request_id: str, sent: bytes, heard: Received, status: int, body: bytes) -> None:
        self.request_id, self.sent, self.heard, self.status, self.body = request_id, sent, heard, status, body

    def injected_usage(self) -> bool:
        """Whether Tollway asked for usage where the caller had not."""
        asked = json.loads(self.sent).get("stream_options") or {}
        told = self.heard.json.get("stream_options") or {}
        return bool(told.get("include_usage")) and not asked.get("include_usage")


def of_group(provider: str, surface: str) -> list[Recording]:
    return [row for row in recordings() if (row.provider, row.surface) == (provider, surface)]


def expected_body(recording: Recording, exchange: Exchange) -> bytes:
    """The recorded bytes with the documented changes."""
    if not recording.stream or recording.status != 200 or not exchange.injected_usage():
        return recording.body
    return b"".join(event for event in events(recording.body) if not is_usage_chunk(event))


def without_cost(body: bytes) -> bytes:
    """The stream without the comment that tells the cost, which must stand right before the end mark."""
    kept = [event for event in events(body) if not event.startswith(COST_COMMENT)]
    told = [position for position, event in enumerate(events(body)) if event.startswith(COST_COMMENT)]
    assert len(told) <= 1, "the cost is told more than once"
    if told and kept[-1].strip() == b"data: [DONE]":
        assert told[0] == len(kept) - 1, "the cost does not stand before the end mark"
    return b"".join(kept)


def check_upstream(recording: Recording, exchange: Exchange) -> None:
    """Upstream heard the caller's own fields, in their order and text, but for the model and the usage option."""
    documented = {"model", "stream_options"} if recording.stream else {"model"}
    sent = [field for field in raw_fields(exchange.sent) if field[0] not in documented]
    heard = [field for field in raw_fields(exchange.heard.body) if field[0] not in documented]
    assert heard == sent, "a field changed on its way up"
    assert exchange.heard.model == recording.request["model"]


def check_downstream(recording: Recording, exchange: Exchange) -> None:
    assert exchange.status == recording.status
    body = without_cost(exchange.body) if recording.stream and recording.status == 200 else exchange.body
    assert body == expected_body(recording, exchange), "the bytes changed on their way down"


def unreadable(recording: Recording) -> bool:
    """Whether the recorded success has no JSON in it: Tollway then answers 502 itself."""
    return recording.status == 200 and not recording.stream and not recording.body.startswith(b"{")


@pytest.mark.parametrize(("provider", "surface"), GROUPS)
def test_what_was_recorded_passes_byte_for_byte(
    provider: str, surface: str, replay: Replay, record_property: Any
) -> None:
    exchanges = []
    for recording in of_group(provider, surface):
        exchange = replay.send(recording, recording.request)
        check_upstream(recording, exchange)
        if unreadable(recording):
            assert exchange.status == 502
        else:
            check_downstream(recording, exchange)
            exchanges.append((recording, exchange))
    entries = landed(replay.gateway, [exchange.request_id for _, exchange in exchanges])
    counts: Counter[str] = Counter()
    for recording, exchange in exchanges:
        counts[check_metering(recording, entries[exchange.request_id])] += 1
    record_property("replayed", dict(counts))
    print(provider, surface, dict(counts))


@pytest.mark.parametrize(("provider", "surface"), GROUPS)
def test_usage_that_the_caller_did_not_ask_for_is_taken_out_of_the_stream(
    provider: str, surface: str, replay: Replay
) -> None:
    rows = [row for row in of_group(provider, surface) if row.asks_usage]
    exchanges = []
    for recording in rows:
        quiet = {name: value for name, value in recording.request.items() if name != "stream_options"}
        exchange = replay.send(recording, quiet)
        check_upstream(recording, exchange)
        check_downstream(recording, exchange)
        exchanges.append((recording, exchange))
    entries = landed(replay.gateway, [exchange.request_id for _, exchange in exchanges])
    for recording, exchange in exchanges:
        check_metering(recording, entries[exchange.request_id])


def landed(gateway: Gateway, request_ids: list[str]) -> dict[str, dict[str, Any]]:
    """The ledger entries of these requests, once all are there."""

    def found() -> list[dict[str, Any]]:
        rows = gateway.query("SELECT * FROM ledger_entry WHERE request_id = ANY(%s)", request_ids)
        return rows if len(rows) >= len(request_ids) else []

    if not request_ids:
        return {}
    rows = wait_until(found, what=f"{len(request_ids)} ledger entries")
    assert len(rows) == len(request_ids)
    return {str(row["request_id"]): row for row in rows}


def check_metering(recording: Recording, entry: dict[str, Any]) -> str:
    """The entry has the provider's counts and the charge that they cost; the kind of check that was made."""
    usage = told_usage(recording)
    if recording.status != 200:
        assert (entry["usage_source"], entry["charge_pico"]) == ("none", 0), recording.name
        return "errors, not charged"
    if usage is None or "prompt_tokens" not in usage:
        assert entry["usage_source"] == "estimated", recording.name
        return "no usage told, estimated"
    assert entry["usage_source"] == "provider", recording.name
    assert total(entry, INPUT_KINDS) == usage["prompt_tokens"], recording.name
    assert total(entry, OUTPUT_KINDS) == usage.get("completion_tokens", 0), recording.name
    if not entry["priced"]:
        return "counts right, no price known"
    if recording.provider not in PRICE_FLAVORS:
        return "counts right, price not checked"
    try:
        expected = expected_charge(recording, usage)
    except ValueError:  # more cached tokens than there were tokens
        return "counts right, parts exceed the whole"
    assert abs(entry["charge_pico"] - expected) <= len(entry["lines"]), recording.name
    return "counts and charge right"


def total(entry: dict[str, Any], kinds: tuple[str, ...]) -> int:
    return sum(entry[f"usage_{kind}"] for kind in kinds)


def expected_charge(recording: Recording, usage: dict[str, Any]) -> Decimal:
    """Pico-dollars by the price library's own reading of the reply, which shares no code with ours."""
    flavor = "embeddings" if recording.surface == "embeddings" else "chat"
    if flavor not in PRICE_FLAVORS[recording.provider]:
        flavor = "default"
    models = (told(recording, "model"), str(recording.request["model"]))
    tier = told(recording, "service_tier")
    context = {"service_tier": tier} if tier else None
    for model in models:  # the price of the model that answered; if it has none, of the one that was asked
        with suppress(LookupError):
            reply = {"model": model, "usage": usage}
            extracted = extract_usage(reply, provider_id=recording.provider, api_flavor=flavor)
            price = calc_price(extracted.usage, model, provider_id=recording.provider, price_context=context)
            return price.total_price * PICO_PER_USD
    message = f"{recording.name}: a charge for {models}, which the price library does not know"
    raise AssertionError(message)
