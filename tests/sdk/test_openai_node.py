"""The official `openai` SDK for Node against Tollway."""

import json
from typing import Any

import pytest

from support.gateway import Gateway
from support.replies import WORDS
from support.sdk import NODE_MARKS, run_node
from support.spender import Spender

TEXT = "".join(WORDS)

pytestmark = NODE_MARKS


@pytest.fixture(scope="module")
def seen(gateway: Gateway) -> dict[str, Any]:
    """What the SDK saw: one run of `check.mjs`."""
    broke = Spender(gateway)
    broke.budget("0")
    environment = {"BASE_URL": f"{gateway.url}/v1", "API_KEY": gateway.project_key, "BROKE_KEY": broke.key}
    return run_node("check.mjs", environment)


def test_chat_and_its_stream_say_the_same(seen: dict[str, Any]) -> None:
    assert seen["chat"] == seen["streamed"] == TEXT
    assert float(seen["cost"]) > 0


def test_a_streamed_tool_call_is_put_together(seen: dict[str, Any]) -> None:
    assert seen["tool"]["name"] == "weather"
    assert json.loads(seen["tool"]["arguments"]) == {"city": "Paris"}


def test_structured_output_completions_and_embeddings_work(seen: dict[str, Any]) -> None:
    assert seen["structured"] == {"city": "Paris", "degrees": 21}
    assert seen["completion"] == TEXT
    assert seen["embedding"] == [[1, 2, 3], [1, 2, 3]]  # the SDK asks for base64 and decodes it


def test_models_are_listed_and_found(seen: dict[str, Any]) -> None:
    assert "stub/gpt" in seen["models"]
    assert seen["model"] == "stub/gpt"


@pytest.mark.parametrize(
    ("case", "name", "status", "code"),
    [
        ("unknownKey", "AuthenticationError", 401, "invalid_api_key"),
        ("unknownModel", "NotFoundError", 404, "model_not_found"),
        ("unpriced", "UnprocessableEntityError", 422, "model_not_priced"),
        ("noMessages", "BadRequestError", 400, "invalid_request"),
        ("rateLimited", "RateLimitError", 429, "rate_limit_exceeded"),
        ("broken", "InternalServerError", 500, "internal_error"),
    ],
)
def test_errors_are_raised_as_the_sdks_own(seen: dict[str, Any], case: str, name: str, status: int, code: str) -> None:
    assert seen["errors"][case] == {"name": name, "status": status, "code": code}


def test_an_error_inside_a_stream_is_raised(seen: dict[str, Any]) -> None:
    assert seen["errors"]["inStream"]["name"] == "APIError"


def test_a_used_up_budget_is_not_asked_again(seen: dict[str, Any]) -> None:
    assert seen["broke"] == {"name": "APIError", "status": 402, "code": "budget_exceeded", "attempts": 1}
