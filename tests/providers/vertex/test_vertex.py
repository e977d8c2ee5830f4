"""Vertex AI: addresses, and the formats of the makers at them."""

import json

import pytest

from tollway.chat.losses import Losses
from tollway.chat.message import Message, TextPart
from tollway.chat.request import ChatRequest
from tollway.errors import UnsupportedFieldError
from tollway.providers.adapter import UpstreamRequest
from tollway.providers.registry import REGISTRY
from tollway.providers.vertex.address import vertex_url
from tollway.providers.wires import WIRES
from tollway.routing.catalog import Deployment
from tollway.services.provider_options import usual_base_url

VERTEX = REGISTRY["vertex"]


def deployment(region: str, base_url: str = "") -> Deployment:
    options = {"project": "p-1", "region": region}
    address = base_url or usual_base_url(VERTEX, options)
    return Deployment("v", "vertex", address, '{"type":"service_account"}', "google", options=options)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_every_location_has_its_host(region: str, host: str) -> None:
    url = vertex_url(deployment(region), publisher="google", model="gemini-2.5-pro", method="generateContent")
    place = f"projects/p-1/locations/{region}"
    assert url == f"https://{host}/v1/{place}/publishers/google/models/gemini-2.5-pro:generateContent"


def test_an_address_of_ones_own_stays() -> None:
    own = deployment("global", "http://127.0.0.1:9/v1")
    url = vertex_url(own, publisher="google", model="endpoints/77", method="generateContent")
    assert url == "http://127.0.0.1:9/v1/projects/p-1/locations/global/endpoints/77:generateContent"


def test_no_model_leaves_its_place() -> None:
    url = vertex_url(deployment("global"), publisher="google", model="../../x", method="generateContent")
    assert url.endswith("/publishers/google/models/..%2F..%2Fx:generateContent")


def build(model: str, *, stream: bool = False, service_tier: str = "") -> UpstreamRequest:
    chat = ChatRequest(
        source="openai",
        messages=(Message("user", (TextPart(text="hello"),)),),
        max_output_tokens=64,
        stream=stream,
        service_tier=service_tier,
    )
    wire = WIRES[VERTEX.dialect_of(model)]
    losses = Losses(drop=False, target="it")
    return wire.build_request(chat, deployment=deployment("global"), spec=VERTEX, model=model, losses=losses)


def test_gemini_models_are_asked_in_googles_format() -> None:
    request = build("gemini-2.5-flash", stream=True, service_tier="priority")
    assert request.url.endswith("/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse")
    assert request.headers["x-vertex-ai-llm-shared-request-type"] == "priority"
    body = json.loads(request.body)
    assert body["contents"][0]["parts"] == [{"text": "hello"}]
    assert "serviceTier" not in body


def test_claude_models_are_asked_in_anthropics_format_without_the_model_in_the_body() -> None:
    plain, stream = build("claude-sonnet-4-5@20250929"), build("claude-sonnet-4-5@20250929", stream=True)
    assert plain.url.endswith("/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict")
    assert stream.url.endswith(":streamRawPredict")
    body = json.loads(plain.body)
    assert "model" not in body
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert body["max_tokens"] == 64
    assert json.loads(stream.body)["stream"] is True
    with pytest.raises(UnsupportedFieldError):
        build("claude-sonnet-4-5@20250929", service_tier="default")


def test_no_credential_is_shown_before_it_has_become_a_token() -> None:
    for model in ("gemini-2.5-flash", "claude-sonnet-4-5@20250929"):
        assert not {"authorization", "x-api-key", "x-goog-api-key"} & build(model).headers.keys()
