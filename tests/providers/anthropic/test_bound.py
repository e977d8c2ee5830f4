"""What a request to Anthropic can cost at the most, known before it is sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.api.inference.surfaces import DIALECTS, SURFACES
from tollway.errors import InvalidRequestError
from tollway.providers.anthropic.bound import other_models, request_bound
from tollway.providers.openai_compatible.bound import RequestBound
from tollway.providers.openai_compatible.media import IMAGE_TOKENS_MAX
from tollway.routing.call import Call

CONTEXT = 200_000
PICTURE = {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}


def call_of(**fields: Any) -> Call:
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "a"}]} | fields
    return DIALECTS["messages"].parse(json.dumps(body).encode(), surface=SURFACES["/v1/messages"], headers={})


def bound(**fields: Any) -> RequestBound:
    return request_bound(call_of(**fields), context_tokens=CONTEXT)


def user(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


@given(st.text(), st.text())
def test_no_text_has_more_tokens_than_the_bound(text: str, system: str) -> None:
    found = bound(messages=user({"type": "text", "text": text}), system=system)
    assert found.input_tokens >= len(text.encode("utf-8", "surrogatepass")) + len(
        system.encode("utf-8", "surrogatepass")
    )
    assert found.text_only
    assert (found.output_tokens, found.heeded, found.boundless) == (100, True, "")


def test_the_answer_is_bounded_thoughts_included() -> None:
    assert bound(max_tokens=5_000, thinking={"type": "enabled", "budget_tokens": 4_000}).output_tokens == 5_000
    assert bound(max_tokens=0).output_tokens == 0


@pytest.mark.parametrize("given", ["5", -1, 1.5, None, [], 10**10])
def test_a_bound_that_is_no_number_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bound(max_tokens=given)
    assert refused.value.param == "max_tokens"


def test_an_image_counts_what_it_may_not_its_bytes() -> None:
    found = bound(messages=user({"type": "image", "source": PICTURE}))
    assert IMAGE_TOKENS_MAX <= found.input_tokens < IMAGE_TOKENS_MAX + 1_000
    assert found.image_input
    inner = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": PICTURE}]}
    assert bound(messages=user(inner)).image_input


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": PICTURE},
        {"type": "container_upload", "file_id": "f"},
        {"type": "block_of_tomorrow"},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": PICTURE}]},
    ],
)
def test_what_is_read_in_is_bounded_by_the_context(block: dict[str, Any]) -> None:
    found = bound(messages=user(block))
    assert found.input_tokens >= CONTEXT
    assert not found.text_only


def test_a_document_of_text_is_bounded_by_its_bytes() -> None:
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a" * 500}}
    assert 500 < bound(messages=user(text)).input_tokens < 1_000


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        {"tools": "?"},
        {"mcp_servers": [{"type": "url", "url": "https://x", "name": "n"}]},
        {"container": "c"},
        {"speed": "fast"},
        {"inference_geo": "us"},
        {"fallbacks": [{"model": "x"}]},
        {"context_management": {"edits": [{"type": "compact_20260112"}]}},
        {"a_field_of_tomorrow": 1},
    ],
)
def test_what_has_no_bound_is_named(fields: dict[str, Any]) -> None:
    assert bound(**fields).boundless == next(iter(fields))


def test_tools_of_the_callers_have_a_bound() -> None:
    own = [{"name": "f", "input_schema": {}}, {"type": "custom", "name": "g", "input_schema": {}}]
    described = [{"type": "bash_20250124", "name": "bash"}]
    assert bound(tools=own).boundless == bound(tools=described).boundless == ""
    assert bound(tools=described).input_tokens > bound(tools=own).input_tokens


def test_fields_by_which_another_model_answers_are_known() -> None:
    assert other_models(call_of(fallbacks=[{"model": "x"}]).fields) == "fallbacks"
    assert other_models(call_of(tools=[{"type": "advisor_20260301", "model": "x"}]).fields) == "tools"
    assert other_models(call_of(tools=[{"name": "f"}], fallbacks=None).fields) is None
