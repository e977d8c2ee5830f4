"""Recorded exchanges with Anthropic."""

import gzip
import json
from functools import cache
from typing import Any

import pytest

from support.recordings import PATH, available

LEFT_OUT = {
    "/v1/complete": "the API before messages, which is no longer offered",
    "/v1/messages/count_tokens": "counts are passed on or made here, never translated",
}
"""Endpoints of Anthropic's among the recordings that are no messages, and why."""

needs_recordings = pytest.mark.skipif(not available(), reason=f"the recordings are not at {PATH}")


@cache
def rows() -> tuple[dict[str, Any], ...]:
    """Every exchange."""
    if not available():
        return ()
    with gzip.open(PATH, "rt", encoding="utf-8") as lines:
        return tuple(row for row in map(json.loads, lines) if row["provider"] == "anthropic")


def messages(*, status: int | None = None, streamed: bool | None = None) -> list[dict[str, Any]]:
    """Those of the Messages API."""
    return [
        row
        for row in rows()
        if row["endpoint"] not in LEFT_OUT
        and (status is None or row["status"] == status)
        and (streamed is None or row["streaming"] == streamed)
    ]


def name_of(row: dict[str, Any]) -> str:
    """By which the row is found again."""
    return f"{row['source']}:{row['path']}:{row['idx']}"


def told_usage(row: dict[str, Any]) -> dict[str, Any]:
    """The usage object of a reply; of a stream what it told last of each member."""
    if not row["streaming"]:
        return dict(json.loads(row["response_body"])["usage"])
    told: dict[str, Any] = {}
    for line in row["response_body"].splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            usage = event.get("usage") or (event.get("message") or {}).get("usage") or {}
            told |= {name: value for name, value in usage.items() if value is not None}
    return told
