"""What a refusal tells."""

import pytest

from tollway.providers.failure import status_told


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error": {"message": "Slow down.", "code": 429}, "user_id": "u"}', 429),
        (b'{"type": "error", "error": {"type": "overloaded_error"}}', 502),
        (b'{"error": {"code": 200}}', 502),
        (b'{"error": {"code": 4290000000000000000000000}}', 502),
        (b'{"error": {"code": ["x"]}}', 502),
        (b'{"error": "No."}', 502),
    ],
)
def test_an_error_in_the_place_of_an_answer_tells_its_status(body: bytes, status: int) -> None:
    assert status_told(body) == status


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": null, "created": 1}',
        b'{"error": ""}',
        b'{"object": "response", "status": "failed", "error": {"code": "server_error"}}',
        b'{"choices": [{"finish_reason": "error"}], "error": {"code": 502}}',
        b'["error"]',
        b"",
        b"<html>",
    ],
)
def test_an_answer_and_what_is_none_of_both_tell_no_error(body: bytes) -> None:
    assert status_told(body) == 0
