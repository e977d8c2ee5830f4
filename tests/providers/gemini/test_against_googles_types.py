"""What Gemini is asked has only members that Google's own SDK knows, of the types it says."""

import json
from typing import Any

import pytest
from google.genai import types

from tollway.chat.losses import Losses
from tollway.conformance.requests import CASES, Case
from tollway.providers.gemini.wire import GeminiWire
from tollway.providers.registry import REGISTRY
from tollway.routing.catalog import Deployment

KNOWN = {
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent",
    "serviceTier", "labels",
}  # fmt: skip
"""https://ai.google.dev/api/generate-content#request-body; ``serviceTier`` by the SDK's own translation."""
DEPLOYMENT = Deployment("g", "gemini", "https://g.example/v1beta", "key", "google")


def body_of(case: Case, model: str) -> dict[str, Any]:
    losses = Losses(drop=True, target="it")
    wire, spec = GeminiWire(), REGISTRY["gemini"]
    request = wire.build_request(case.chat, deployment=DEPLOYMENT, spec=spec, model=model, losses=losses)
    return dict(json.loads(request.body))


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro-preview"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_google_knows_every_member(case: Case, model: str) -> None:
    body = body_of(case, model)
    assert body.keys() <= KNOWN
    for content in [*body["contents"], *([body["systemInstruction"]] if "systemInstruction" in body else [])]:
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
