"""LlamaIndex against Tollway: models, embeddings, an index and an agent."""

from typing import Any

import pytest

from support.gateway import Gateway, new_mark
from support.obliging import filled, obliging
from support.replies import WORDS
from support.sdk import run_llama_index
from support.spender import Spender
from support.standin import StandIn

TEXT = "".join(WORDS)
SYSTEM, ASKED = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say something."}
WHERE = {"role": "user", "content": "How is the weather in Paris?"}
CALL = {"type": "function", "id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


@pytest.fixture(scope="module")
def mark() -> str:
    """What stands before the name of each case."""
    return f"{new_mark()}-"


@pytest.fixture(scope="module")
def seen(gateway: Gateway, standin: StandIn, mark: str) -> dict[str, Any]:
    """What LlamaIndex saw: one run of `check.py`."""
    standin.on("obliging", obliging)
    broke = Spender(gateway)
    broke.budget("0")
    served = {"BASE_URL": f"{gateway.url}/v1", "API_KEY": gateway.project_key, "BROKE_KEY": broke.key, "MARK": mark}
    return run_llama_index("check.py", served)


@pytest.fixture
def heard(seen: dict[str, Any], standin: StandIn, mark: str) -> Any:  # noqa: ARG001  # the run comes first
    """What the provider got of a case: the bodies, in their order."""
    return lambda case: [received.json for received in standin.marked(mark + case)]


@pytest.mark.parametrize(
    ("case", "messages"),
    [
        ("complete", [ASKED]),
        ("chat", [SYSTEM, ASKED]),
        ("achat", [SYSTEM, ASKED]),
        ("responses", [SYSTEM, ASKED]),
    ],
)
def test_an_answer_is_whole(seen: dict[str, Any], heard: Any, case: str, messages: list[Any]) -> None:
    assert seen[case] == TEXT
    (body,) = heard(case)
    assert (body["model"], body["messages"], body.get("stream", False)) == ("gpt", messages, False)


def test_a_model_that_is_not_for_chats_completes(seen: dict[str, Any], heard: Any) -> None:
    assert seen["completion"] == TEXT
    (body,) = heard("completion")
    assert body["prompt"] == "Say something."


@pytest.mark.parametrize("case", ["stream_complete", "stream_chat", "astream_chat"])
def test_a_stream_gives_every_word(seen: dict[str, Any], heard: Any, case: str) -> None:
    deltas = seen[case] if case == "stream_complete" else seen[case]["deltas"]
    assert [delta for delta in deltas if delta] == list(WORDS)
    assert case == "stream_complete" or seen[case]["text"] == TEXT
    (body,) = heard(case)
    assert body["stream"] is True


def test_a_tool_is_called_and_its_result_answered(seen: dict[str, Any], heard: Any) -> None:
    assert seen["chat_with_tools"] == {
        "name": "weather",
        "arguments": {"city": "Paris"},
        "answer": "The tool says: sunny",
    }
    first, second = heard("chat_with_tools")
    assert first["tools"] == second["tools"]
    assert first["tools"][0]["function"]["name"] == "weather"
    assert second["messages"] == [
        WHERE,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1"},
    ]


def test_the_tool_may_be_called_for_the_caller(seen: dict[str, Any], heard: Any) -> None:
    assert seen["predict_and_call"] == "21 degrees in Paris"
    assert len(heard("called")) == 1


def test_an_agent_streams_through_a_tool_call(seen: dict[str, Any], heard: Any) -> None:
    assert seen["agent"] == "The tool says: 21 degrees in Paris"
    bodies = heard("agent")
    assert [body["stream"] for body in bodies] == [True, True]
    assert bodies[1]["messages"][-1] == {"role": "tool", "content": "21 degrees in Paris", "tool_call_id": "call_1"}


def test_structured_output_is_parsed(seen: dict[str, Any], heard: Any) -> None:
    (by_schema,), (by_tool,) = heard("by_schema"), heard("by_tool")
    schema = by_schema["response_format"]["json_schema"]["schema"]
    assert set(schema["properties"]) == {"city", "degrees"}
    assert by_tool["tool_choice"] == "required"
    assert seen["structured_by_schema"] == seen["structured_by_tool"] == filled(schema)


def test_embeddings_are_made(seen: dict[str, Any], heard: Any) -> None:
    assert seen["embedding"] == [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    assert seen["aembedding"] == [1.0, 2.0, 3.0]
    assert [body["input"] for case in ("embedding", "aembedding") for body in heard(case)] == [["a", "b"], ["a"]]


def test_an_index_answers_from_its_documents(seen: dict[str, Any], heard: Any) -> None:
    assert seen["index"] == TEXT
    assert [body["input"] for body in heard("index")] == [["It rains in Oslo."], ["Where does it rain?"]]
    (body,) = heard("query")
    assert "It rains in Oslo." in body["messages"][-1]["content"]


def test_errors_are_raised_as_the_sdks_own(seen: dict[str, Any]) -> None:
    assert seen["unknown"] == {"name": "NotFoundError", "status": 404, "code": "model_not_found"}
    assert seen["limited"] == {"name": "RateLimitError", "status": 429, "code": "rate_limit_exceeded"}


def test_a_used_up_budget_is_not_asked_again(seen: dict[str, Any], heard: Any) -> None:
    assert seen["refused"]["error"] == {"name": "APIStatusError", "status": 402, "code": "budget_exceeded"}
    assert seen["refused"]["answers"] == [402]
    assert not heard("broke")


def test_all_of_it_is_in_the_ledger(seen: dict[str, Any], gateway: Gateway, mark: str) -> None:
    assert seen
    for case, surface in (("stream_chat", "chat"), ("embedding", "embeddings"), ("responses", "responses")):
        entry = gateway.entry(mark + case)
        assert (entry["surface"], entry["usage_source"]) == (surface, "provider")
        assert entry["charge_pico"] > 0
