"""What may stand in a log."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tollway.config.logs import LogSettings
from tollway.identity.key import new_key
from tollway.telemetry.logs import configure_logs, redact

SECRETS = [
    *("sk-proj-abcdefgh12345", "tw-AbCdEfGh_-12", "gsk-abcdefgh1", "xai-abcdefgh1", "pplx-abcdefgh1"),
    *("nvapi-abcdefgh1", "hf_abcdefgh1", "AIzaSyAbcdefgh1", "whsec_abc+/defgh="),
]


@pytest.fixture
def _logging() -> Iterator[None]:
    """Leaves logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def shown(**event: Any) -> dict[str, Any]:
    return dict(redact(None, "", dict(event)))


@pytest.mark.parametrize(
    "name", ["authorization", "api_key", "X-API-Key", "password", "db_password", "cookie", "pepper", "access_token"]
)
def test_a_value_with_the_name_of_a_secret_is_hidden(name: str) -> None:
    assert shown(**{name: "anything", "nested": {name: ["anything"]}}) == {
        name: "[hidden]",
        "nested": {name: "[hidden]"},
    }


@pytest.mark.parametrize("secret", [*SECRETS, pytest.param(new_key(), id="a new key")])
def test_a_value_with_the_form_of_a_secret_is_hidden_wherever_it_stands(secret: str) -> None:
    event = {
        "a": f"before {secret} after",
        "b": [secret, (secret,), {"c": secret}],
        "d": ValueError(f"refused: {secret}"),
        "exception": "frames\n" * 2_000 + secret,
    }
    text = json.dumps(shown(**event))
    assert secret not in text
    assert "before [hidden] after" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postgresql://tollway:pass@host/db", "postgresql://[hidden]@host/db"),
        ("redis://:pass@host", "redis://[hidden]@host"),
        ("Authorization: Bearer 0123abcd", "Authorization: Bearer [hidden]"),
        ("https://host/path?a=b", "https://host/path?a=b"),
        ("the task-id of a risk-free ask-me", "the task-id of a risk-free ask-me"),
    ],
)
def test_urls_and_headers_lose_their_credentials_only(value: str, expected: str) -> None:
    assert shown(value=value) == {"value": expected}


def test_ids_and_numbers_are_shown() -> None:
    event = {"key_id": "0190", "status": 200, "share": 0.5, "ok": True, "none": None, "tokens": 7}
    assert shown(**event) == event


def test_long_values_are_cut_and_the_end_of_a_trace_is_kept() -> None:
    cut = shown(value="x" * 1_000_000, exception="frame\n" * 100_000 + "ValueError: the cause")
    assert len(json.dumps(cut)) < 10_000
    assert cut["exception"].endswith("ValueError: the cause")


@given(
    st.dictionaries(st.text(max_size=8), st.recursive(st.text() | st.binary() | st.integers(), st.lists), max_size=5)
)
def test_whatever_is_logged_gives_a_line(event: dict[str, Any]) -> None:
    json.dumps(shown(**event))


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize("form", ["json", "pretty"])
def test_neither_our_own_log_nor_a_library_s_shows_a_secret(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(log_format=form))
    secret = SECRETS[0]
    try:
        int(secret)
    except ValueError:
        structlog.get_logger("ours").exception("failed", detail=secret)
        logging.getLogger("theirs").exception("failed with %s", secret)
    written = capsys.readouterr().err
    assert written.count("failed") >= 2
    assert "ValueError" in written
    assert secret not in written
    if form == "json":
        for line in written.splitlines():
            assert not [name for name in json.loads(line) if name.startswith("_")]
