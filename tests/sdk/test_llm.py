"""The command `llm` against Tollway, configured as its documentation says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from llm.cli import cli

from support.gateway import Gateway
from support.replies import WORDS

TEXT = "".join(WORDS)
Llm = Callable[..., Result]


@pytest.fixture(scope="module")
def llm(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Llm:
    """Runs `llm` with a user directory of its own."""
    home: Path = tmp_path_factory.mktemp("llm")
    models = [
        {
            "model_id": f"tollway-{name}",
            "model_name": f"stub/{name}",
            "api_base": f"{gateway.url}/v1",
            "api_key_name": "tollway",
            "supports_tools": True,
            "supports_schema": True,
        }
        for name in ("gpt", "tools", "structured", "bad-request")
    ]
    (home / "extra-openai-models.yaml").write_text(yaml.safe_dump(models))
    (home / "keys.json").write_text(json.dumps({"tollway": gateway.project_key}))
    environment = {"LLM_USER_PATH": str(home)}
    return lambda *arguments: CliRunner().invoke(cli, arguments, env=environment)


def test_a_prompt_is_answered_streamed_and_whole(llm: Llm) -> None:
    assert llm("-m", "tollway-gpt", "Say something.").stdout.strip() == TEXT
    assert llm("-m", "tollway-gpt", "--no-stream", "Say something.").stdout.strip() == TEXT


def test_a_tool_is_called_and_its_result_answered(llm: Llm) -> None:
    function = 'def weather(city: str) -> str:\n    "The weather of a city."\n    return f"21 degrees in {city}"\n'
    done = llm("-m", "tollway-tools", "--functions", function, "How is Paris?")
    assert done.stdout.strip() == "The tool says: 21 degrees in Paris", done.stderr


def test_structured_output_fits_the_schema(llm: Llm) -> None:
    done = llm("-m", "tollway-structured", "--schema", "city, degrees int", "Paris?")
    assert json.loads(done.stdout) == {"city": "Paris", "degrees": 21}


def test_an_error_is_told_with_its_cause(llm: Llm) -> None:
    done = llm("-m", "tollway-bad-request", "Say something.")
    assert done.exit_code != 0
    assert "context_length_exceeded" in done.stderr
