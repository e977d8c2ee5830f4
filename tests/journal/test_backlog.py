import asyncio
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.entries import a_writer, an_entry, opening
from tollway.ids import uuid7
from tollway.journal.backlog import Backlog
from tollway.journal.segment import segment_numbers, segment_path
from tollway.journal.sent import SentSegments
from tollway.ledger.entry import LedgerEntry, Outcome


def the_backlog(journal: Path) -> Backlog:
    (directory,) = journal.iterdir()
    return a_backlog(directory)


def a_backlog(directory: Path, *, window_s: float = 0) -> Backlog:
    sent = SentSegments(directory.parent, window_s=window_s)
    return Backlog(directory, quarantine=directory.parents[1] / "damaged", sent=sent)


def drained(backlog: Backlog, *, max_entries: int = 7) -> list[LedgerEntry]:
    found: list[LedgerEntry] = []
    while True:
        batch = backlog.take(max_entries=max_entries)
        found += batch.entries
        backlog.settle(batch)
        if not batch.more:
            return found


async def a_dead_worker(journal: Path, entries: list[LedgerEntry], *, segment_bytes: int = 4_096) -> Path:
    worker_id = uuid7()
    writer = a_writer(journal, worker_id=worker_id, segment_bytes=segment_bytes)
    for entry in entries:
        writer.open(opening(entry))
        writer.close(entry)
    await writer.aclose()
    return journal / worker_id


async def test_a_live_journal_is_drained_while_it_is_written_and_trimmed_behind(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    writer, entries = a_writer(journal, segment_bytes=4_096), [an_entry() for _ in range(60)]
    backlog, found = the_backlog(journal), []
    for entry in entries:
        writer.open(opening(entry))
        found += drained(backlog)
        writer.close(entry)
        found += drained(backlog)
    assert found == entries
    assert len(segment_numbers(backlog.directory)) == 1
    assert not backlog.adopt()
    await writer.aclose()


async def test_what_was_taken_but_not_settled_is_given_again(tmp_path: Path) -> None:
    entries = [an_entry() for _ in range(10)]
    await a_dead_worker(tmp_path / "journal", entries)
    assert the_backlog(tmp_path / "journal").take(max_entries=4).entries == entries[:4]
    backlog = the_backlog(tmp_path / "journal")
    batch = backlog.take(max_entries=4)
    assert batch.entries == entries[:4]
    backlog.settle(batch)
    assert drained(the_backlog(tmp_path / "journal")) == entries[4:]


async def test_an_open_request_survives_the_trim_of_its_segment_and_becomes_interrupted(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    writer, lost = a_writer(journal, segment_bytes=4_096), an_entry(request_bytes=4_001)
    writer.open(opening(lost))
    for _ in range(30):
        entry = an_entry()
        writer.open(opening(entry))
        writer.close(entry)
    assert len(drained(the_backlog(journal))) == 30
    assert 1 not in segment_numbers(the_backlog(journal).directory)
    await writer.aclose()

    backlog = the_backlog(journal)
    assert backlog.adopt()
    (interrupted,) = drained(backlog)
    assert interrupted.entry_id == lost.entry_id
    assert interrupted.admitted_at_us == lost.admitted_at_us
    assert interrupted.outcome is Outcome.INTERRUPTED
    assert interrupted.usage.input == 1_001
    assert interrupted.usage_source == "estimated"
    assert interrupted.charge == interrupted.lines[0].amount == 150_150_000
    backlog.remove()
    assert not backlog.directory.exists()


async def test_an_interrupted_request_without_a_known_price_is_unpriced_not_free(tmp_path: Path) -> None:
    writer = a_writer(tmp_path / "journal")
    writer.open(opening(an_entry(), input_price=None))
    await writer.aclose()
    backlog = the_backlog(tmp_path / "journal")
    backlog.adopt()
    (interrupted,) = drained(backlog)
    assert not interrupted.priced
    assert interrupted.lines == ()


async def test_a_live_worker_is_not_adopted(tmp_path: Path) -> None:
    writer = a_writer(tmp_path / "journal")
    writer.open(opening(an_entry()))
    backlog = the_backlog(tmp_path / "journal")
    assert not backlog.adopt()
    assert drained(backlog) == []
    await writer.aclose()
    assert backlog.adopt()
    assert len(drained(backlog)) == 1


async def test_a_torn_tail_is_ignored_and_a_damaged_segment_is_set_aside(tmp_path: Path) -> None:
    entries = [an_entry() for _ in range(20)]
    directory = await a_dead_worker(tmp_path / "journal", entries)
    first, last = segment_numbers(directory)[0], segment_numbers(directory)[-1]
    damaged = bytearray(segment_path(directory, first).read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    segment_path(directory, first).write_bytes(damaged)
    with segment_path(directory, last).open("ab") as file:
        file.write(segment_path(directory, last).read_bytes()[:37])

    backlog = the_backlog(tmp_path / "journal")
    backlog.adopt()
    batch = backlog.take(max_entries=1_000)
    assert [damage.torn for damage in batch.damages] == [False]
    backlog.settle(batch)
    found = [*batch.entries, *drained(backlog)]
    assert {entry.entry_id for entry in found} == {entry.entry_id for entry in entries}
    assert len(found) == len(entries)
    backlog.remove()
    (kept,) = (tmp_path / "damaged").iterdir()
    assert kept.read_bytes() == damaged


async def test_records_and_damages_longer_than_what_is_read_at_once_stop_nothing(tmp_path: Path) -> None:
    texts = ("a", "b" * 600_000, "c", "d" * 300_000, "e", "f" * 1_000_000, "g")
    entries = [an_entry(error=text) for text in texts]
    directory = await a_dead_worker(tmp_path / "journal", entries, segment_bytes=1 << 23)
    path = segment_path(directory, 1)
    content = bytearray(path.read_bytes())
    start = content.index(texts[3].encode())
    content[start : start + 300_000] = bytes(300_000)
    path.write_bytes(content)
    backlog = the_backlog(tmp_path / "journal")
    backlog.adopt()
    found = drained(backlog, max_entries=5)
    interrupted = [entry for entry in found if entry.outcome is Outcome.INTERRUPTED]
    assert [entry for entry in found if entry not in interrupted] == entries[:3] + entries[4:]
    assert [entry.entry_id for entry in interrupted] == [entries[3].entry_id]


async def test_an_unreadable_cursor_starts_over(tmp_path: Path) -> None:
    entries = [an_entry() for _ in range(3)]
    directory = await a_dead_worker(tmp_path / "journal", entries, segment_bytes=1 << 20)
    drained(the_backlog(tmp_path / "journal"))
    for content in (b"", b"nonsense", (directory / "cursor").read_bytes()[:-1]):
        (directory / "cursor").write_bytes(content)
        assert drained(the_backlog(tmp_path / "journal")) == entries


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[LedgerEntry]]:
    """A dead worker's journal of several segments, and what was written to it."""
    journal, entries = tmp_path_factory.mktemp("dead") / "journal", [an_entry() for _ in range(12)]

    async def write() -> None:
        writer = a_writer(journal, segment_bytes=4_096)
        for entry in entries:
            writer.close(entry)
        await writer.aclose()

    asyncio.run(write())
    return next(journal.iterdir()), entries


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_byte_is_damaged_nothing_wrong_and_nothing_twice_is_read(
    dead: tuple[Path, list[LedgerEntry]], data: st.DataObject
) -> None:
    source, entries = dead
    directory = source.parent / "copy"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(source, directory)
    path = segment_path(directory, data.draw(st.sampled_from(segment_numbers(directory))))
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    flipped = data.draw(st.booleans())
    if flipped:
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[position:]
    path.write_bytes(content)

    backlog = a_backlog(directory)
    backlog.adopt()
    found = drained(backlog, max_entries=data.draw(st.integers(1, 20)))
    backlog.release()
    remaining = iter(entries)
    assert all(entry in remaining for entry in found), "each is one that was written, in order, at most once"
    if flipped:
        assert len(found) == len(entries) - 1
