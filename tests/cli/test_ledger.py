"""`tollway ledger` and `tollway usage`, on a running gateway."""

import csv
import errno
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Command
from support.gateway import Gateway, new_mark
from tollway.cli import ledger, usage
from tollway.cli.failure import CommandError
from tollway.data.rollups import Group


@pytest.fixture
def key(tollway: Command) -> str:
    """The name of a fresh key with three requests."""
    name = new_mark()
    secret = tollway.ok("keys", "create", "--name", name, "--json").json["key"]
    for _ in range(3):
        tollway.ok("chat", "--model", "stub/plain", "--json", "hello", TOLLWAY_API_KEY=secret)
    return name


def entries(tollway: Command, key: str, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = tollway.ok("ledger", "list", "--key", key, "--json", *words).json["data"]
    return found


def test_requests_are_listed_summed_explained_and_exported(tollway: Command, key: str, gateway: Gateway) -> None:
    last = gateway.post("/v1/chat/completions", {"model": "stub/plain", "messages": []}).headers["x-request-id"]
    explained = tollway.ok("ledger", "explain", last, "--wait-s", "60")
    assert "recomputed, the same" in explained.out
    assert "USD / 1,000,000" in explained.out
    assert tollway.ok("ledger", "explain", last, "--json").json["data"][0]["agrees"] is True

    listed = entries(tollway, key)
    assert len(listed) == 3
    assert len(entries(tollway, key, "--limit", "2")) == 2
    assert entries(tollway, key, "--until", "1d") == []
    assert str(listed[0]["request_id"]) in tollway.ok("ledger", "list", "--key", key).out

    told = tollway.ok("usage", "--by", "model", "--key", key, "--json").json
    assert [(row["model"], row["requests"]) for row in told["data"]] == [("stub/plain", 3)]
    assert told["total"]["input_tokens"] == sum(int(str(row["input_tokens"])) for row in listed)
    assert "total" in tollway.ok("usage", "--by", "day", "--by", "key", "--key", key).out

    lines = tollway.ok("ledger", "export", "--key", key).out.splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == [row["request_id"] for row in reversed(listed)]
    rows = list(csv.DictReader(io.StringIO(tollway.ok("ledger", "export", "--key", key, "--format", "csv").out)))
    assert [row["charge_usd"] for row in rows] == [row["charge_usd"] for row in reversed(listed)]
    file = tollway.folder / "entries.jsonl"
    tollway.ok("ledger", "export", "--key", key, "--output", str(file))
    assert file.read_text().splitlines() == lines


def test_the_audit_of_a_sound_ledger_passes(tollway: Command) -> None:
    assert tollway.ok("ledger", "audit", "--json").json["agrees"] is True


def test_a_request_that_never_was_is_not_explained(tollway: Command) -> None:
    done = tollway("ledger", "explain", "01a2011f-57b9-79f7-a5d7-d08fcc2913bd", "--wait-s", "0")
    assert done.code == 1
    assert "Error [not_found]" in done.err


def test_an_export_into_a_folder_that_is_not_there_is_told(tollway: Command) -> None:
    done = tollway("ledger", "export", "--output", "nowhere/entries.jsonl")
    assert done.code == 1
    assert "cannot be written" in done.err


def test_an_export_that_breaks_off_leaves_no_half_a_file(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a line"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CommandError, match="cannot be written: No space left"):
        ledger._save(chunks(), tmp_path / "entries.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_usage_can_be_grouped_by_all_that_the_server_knows() -> None:
    assert {group.value for group in usage.Group} == {group.value for group in Group}
