import os
import time
from pathlib import Path

import pytest

from support.entries import a_writer, an_entry, opening
from tollway.ids import uuid7
from tollway.journal import sent as module
from tollway.journal.backlog import Backlog
from tollway.journal.segment import worker_directories
from tollway.journal.sent import SentSegments
from tollway.ledger.entry import LedgerEntry


async def a_finished_worker(data_dir: Path, sent: SentSegments, entries: list[LedgerEntry]) -> str:
    """Its journal is drained, as far as the journal knows, and handed over."""
    worker_id = uuid7()
    writer = a_writer(data_dir / "journal", worker_id=worker_id, segment_bytes=4_096)
    for entry in entries[:-1]:
        writer.open(opening(entry))
        writer.close(entry)
    writer.open(opening(entries[-1]))
    await writer.aclose()
    backlog = Backlog(data_dir / "journal" / worker_id, quarantine=data_dir / "damaged", sent=sent)
    backlog.adopt()
    while (batch := backlog.take(max_entries=5)).more:
        backlog.settle(batch)
    backlog.settle(batch)
    backlog.remove()
    return worker_id


def entries_of(sent: SentSegments) -> list[str]:
    return sorted(
        entry.entry_id
        for segment in sent.newest_first()
        for chunk in segment.chunks(max_entries=4)
        for entry in chunk.entries
    )


async def test_every_entry_of_a_dead_worker_is_kept_also_those_of_its_interrupted_requests(tmp_path: Path) -> None:
    sent = SentSegments(tmp_path / "journal", window_s=60)
    entries = [an_entry() for _ in range(20)]
    worker_id = await a_finished_worker(tmp_path, sent, entries)
    assert worker_directories(tmp_path) == []
    assert entries_of(sent) == sorted(entry.entry_id for entry in entries)
    assert {segment.worker_id for segment in sent.newest_first()} == {worker_id}


async def test_segments_are_removed_once_they_are_older_than_the_window(tmp_path: Path) -> None:
    sent = SentSegments(tmp_path / "journal", window_s=60)
    await a_finished_worker(tmp_path, sent, [an_entry() for _ in range(20)])
    sent.trim()
    kept = sent.newest_first()
    for segment in kept[2:]:
        os.utime(segment.path, (0, time.time() - 61))
    SentSegments(tmp_path / "journal", window_s=60).trim()
    assert sent.newest_first() == kept[:2]
    SentSegments(tmp_path / "journal", window_s=0).trim()
    assert [path.name for path in (tmp_path / "journal" / ".sent").iterdir()] == []


async def test_without_a_window_nothing_is_kept(tmp_path: Path) -> None:
    sent = SentSegments(tmp_path / "journal", window_s=0)
    await a_finished_worker(tmp_path, sent, [an_entry() for _ in range(20)])
    assert sent.newest_first() == []


async def test_a_disk_that_is_nearly_full_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = SentSegments(tmp_path / "journal", window_s=60)
    await a_finished_worker(tmp_path, sent, [an_entry() for _ in range(20)])
    disk = os.statvfs(tmp_path)
    monkeypatch.setattr(module, "_FREE_MIN_BYTES", (disk.f_blocks + 1) * disk.f_frsize)
    sent.trim()
    assert sent.newest_first() == []
