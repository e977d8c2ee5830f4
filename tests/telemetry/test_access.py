"""The access log: a line a request, and nothing of what was said."""

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from support.entries import an_entry
from tollway.telemetry import access
from tollway.telemetry.access import AccessLog


class Captured:
    """Standard error, as bytes."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    made = Captured()
    monkeypatch.setattr(access, "sys", SimpleNamespace(stderr=made))
    return made.buffer


def lines(captured: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.getvalue().splitlines()]


def test_a_request_is_one_line_with_its_cost_and_without_its_content(captured: io.BytesIO) -> None:
    log = AccessLog(enabled=True, pretty=False)
    entry = an_entry(user_tag="somebody", tags=(("secret", "tag"),))
    log.ended(entry)
    assert not captured.getvalue()
    log.flush()
    log.flush()
    [line] = lines(captured)
    assert (line["request_id"], line["key_id"], line["model"]) == (entry.request_id, entry.key_id, entry.model_sent)
    assert (line["input_tokens"], line["output_tokens"], line["usage"]) == (1_000, 200, "provider")
    assert float(line["charge_usd"]) * 1e12 == pytest.approx(entry.charge)
    assert b"somebody" not in captured.getvalue()
    assert b"tag" not in captured.getvalue()


@pytest.mark.parametrize(("status", "level"), [(401, "info"), (503, "error")])
def test_a_refusal_is_one_line_with_its_code(captured: io.BytesIO, status: int, level: str) -> None:
    log = AccessLog(enabled=True, pretty=False)
    log.refused("chat", "id", status, "a_code")
    log.flush()
    [line] = lines(captured)
    assert (line["event"], line["status"], line["code"], line["level"]) == ("refused", status, "a_code", level)


def test_a_log_that_is_off_writes_nothing(captured: io.BytesIO) -> None:
    log = AccessLog(enabled=False, pretty=False)
    log.ended(an_entry())
    log.refused("chat", "id", 401, "a_code")
    log.flush()
    assert not captured.getvalue()


def test_lines_that_wait_are_bounded(captured: io.BytesIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_BUFFER_MAX_LINES", 10)
    log = AccessLog(enabled=True, pretty=False)
    for _ in range(25):
        log.ended(an_entry())
    assert len(lines(captured)) == 20


def test_a_caller_s_words_cannot_begin_a_line_of_their_own(captured: io.BytesIO) -> None:
    log = AccessLog(enabled=True, pretty=False)
    log.ended(an_entry(model_sent='x\n{"event":"forged"}', error="e\r\nf"))
    log.flush()
    assert len(lines(captured)) == 1


def test_what_callers_name_does_not_drive_the_terminal(captured: io.BytesIO) -> None:
    log = AccessLog(enabled=True, pretty=True)
    log.ended(an_entry(model_sent="x\x1b]0;owned\x07\ny"))
    log.flush()
    [line] = captured.getvalue().decode().splitlines()
    assert line.isprintable()


def test_a_person_reads_one_short_line(captured: io.BytesIO) -> None:
    log = AccessLog(enabled=True, pretty=True)
    entry = an_entry()
    log.ended(entry)
    log.refused("chat", "the-id", 401, "invalid_api_key")
    log.flush()
    request, refusal = captured.getvalue().decode().splitlines()
    assert "openai/gpt-4o-mini 1000+200 tokens" in request
    assert request.endswith(entry.request_id)
    assert "401 chat invalid_api_key" in refusal
