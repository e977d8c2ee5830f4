import asyncio
import errno
import fcntl
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.entries import a_writer, an_entry, opening
from support.waiting import eventually
from tollway.errors import JournalUnavailableError
from tollway.ids import uuid7
from tollway.journal.record import Frame, Record, decode, scan
from tollway.journal.segment import segment_numbers, segment_path, worker_directories
from tollway.journal.writer import JournalWriter
from tollway.ledger.entry import LedgerEntry


def the_directory(journal: Path) -> Path:
    (directory,) = journal.iterdir()
    return directory


def fill(writer: JournalWriter, entry: LedgerEntry) -> None:
    while True:
        writer.open(opening(entry))


def written(journal: Path) -> list[Record]:
    directory, records = the_directory(journal), []
    for number in segment_numbers(directory):
        for found in scan(segment_path(directory, number).read_bytes()):
            assert isinstance(found, Frame)
            records.append(decode(found.payload))
    return records


async def test_what_was_written_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    writer, entry = a_writer(tmp_path), an_entry()
    writer.open(opening(entry))
    assert written(tmp_path) == [opening(entry)]
    writer.close(entry)
    assert written(tmp_path) == [opening(entry), entry]
    await writer.aclose()


async def test_segments_are_closed_at_their_size_and_lose_nothing(tmp_path: Path) -> None:
    writer, entries = a_writer(tmp_path, segment_bytes=4_096), [an_entry() for _ in range(50)]
    for entry in entries:
        writer.close(entry)
    await writer.aclose()
    assert len(segment_numbers(the_directory(tmp_path))) > 3
    assert all(path.stat().st_size <= 4_096 for path in the_directory(tmp_path).glob("*.seg"))
    assert written(tmp_path) == entries


async def test_durable_returns_once_everything_written_before_was_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", watched)
    writer = a_writer(tmp_path)
    writer.close(an_entry())
    size = next(the_directory(tmp_path).glob("*.seg")).stat().st_size
    await asyncio.gather(*(writer.durable() for _ in range(5)))
    assert size in synced
    await writer.durable()
    await writer.aclose()


async def test_a_disk_that_does_not_sync_is_told_to_those_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    writer = a_writer(tmp_path)
    monkeypatch.setattr(os, "fsync", failing)
    writer.close(an_entry())
    with pytest.raises(JournalUnavailableError, match="durable"):
        await writer.durable()
    monkeypatch.setattr(os, "fsync", fsync)
    writer.close(an_entry())
    await writer.durable()
    await writer.aclose()
    assert len(written(tmp_path)) == 2
    assert len(segment_numbers(the_directory(tmp_path))) == 2


async def test_a_write_cut_short_by_the_disk_leaves_no_torn_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, first, second = a_writer(tmp_path), an_entry(), an_entry()
    writer.open(opening(first))
    write = os.write

    def filling(descriptor: int, data: bytes) -> int:
        if len(data) > 40:
            return write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", filling)
    with pytest.raises(JournalUnavailableError, match="No space"):
        writer.open(opening(second))
    monkeypatch.setattr(os, "write", write)
    assert written(tmp_path) == [opening(first)]
    writer.close(first)
    assert written(tmp_path) == [opening(first), first]
    await writer.aclose()


def test_a_full_disk_admits_nobody_but_lets_the_admitted_end(tmp_path: Path) -> None:
    """A real limit of the kernel stands for the full disk: the size that files of this process may have."""
    script = textwrap.dedent("""
        import asyncio, resource, sys
        from pathlib import Path
        from support.entries import a_writer, an_entry, opening
        from tollway.errors import JournalUnavailableError

        async def main():
            writer = a_writer(Path(sys.argv[1]), segment_bytes=1 << 26)
            entries = []
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, resource.RLIM_INFINITY))
            try:
                while True:
                    entry = an_entry()
                    writer.open(opening(entry))
                    entries.append(entry)
            except JournalUnavailableError as error:
                print("refused", error.code)
            try:
                writer.close(entries[0])
            except JournalUnavailableError:
                pass
            else:
                raise SystemExit("the limit did not hold")
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            try:
                writer.open(opening(an_entry()))
            except JournalUnavailableError as error:
                assert "full" in error.message, error.message
            assert "full" in writer.fault()
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            for entry in entries:
                writer.close(entry)
            print(len(entries))
            while writer.fault():  # the disk is looked at only now and then
                await asyncio.sleep(0.01)
            await writer.aclose()

        asyncio.run(main())
    """)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, count = done.stdout.splitlines()
    assert refused == "refused journal_unavailable"
    found = written(tmp_path)
    assert len(found) == 2 * int(count)


async def test_a_disk_that_became_read_only_admits_nobody_until_it_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's answer is made up: a disk with open files cannot be made read-only on purpose."""
    writer, entry = a_writer(tmp_path), an_entry()
    writer.open(opening(entry))

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as disk:
        for call in ("write", "open", "ftruncate", "posix_fallocate", "unlink"):
            disk.setattr(os, call, refuse)
        for reason in ("Read-only", "read-only"):
            with pytest.raises(JournalUnavailableError, match=reason) as refused:
                writer.open(opening(an_entry()))
            assert dict(refused.value.headers)["retry-after"]
        assert "read-only" in writer.fault()
        with pytest.raises(JournalUnavailableError):
            writer.close(entry)
    await eventually(lambda: not writer.fault())
    writer.close(entry)
    assert written(tmp_path) == [opening(entry), entry]
    await writer.aclose()


async def test_at_its_bound_the_journal_admits_nobody_until_it_was_drained(tmp_path: Path) -> None:
    writer, entry = a_writer(tmp_path, segment_bytes=4_096, max_bytes=20_000), an_entry()
    with pytest.raises(JournalUnavailableError, match="bound"):
        fill(writer, entry)
    assert "bound" in writer.fault()
    writer.close(entry)
    for number in segment_numbers(the_directory(tmp_path))[:-1]:
        next(the_directory(tmp_path).glob(f"*{number}.seg")).unlink()
    writer._measured_at_s = 0.0
    assert not writer.fault()
    writer.open(opening(entry))
    await writer.aclose()


def test_two_processes_never_write_to_one_directory(tmp_path: Path) -> None:
    worker_id = uuid7()
    writer = a_writer(tmp_path, worker_id=worker_id)
    from_elsewhere = textwrap.dedent(f"""
        from pathlib import Path
        from tollway.journal.lock import try_lock
        print(try_lock(Path({str(tmp_path / worker_id)!r})))
    """)
    held = subprocess.run([sys.executable, "-c", from_elsewhere], capture_output=True, text=True, check=True)
    assert held.stdout.strip() == "None"
    asyncio.run(writer.aclose())
    asyncio.run(a_writer(tmp_path, worker_id=worker_id).aclose())


async def test_nobody_sees_a_directory_that_is_not_locked_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drain would take it for a dead worker's, and hold it for as long as the database is away."""
    seen: list[list[Path]] = []
    flock = fcntl.flock

    def watched(descriptor: int, operation: int) -> None:
        seen.append(worker_directories(tmp_path))
        flock(descriptor, operation)
        seen.append(worker_directories(tmp_path))

    monkeypatch.setattr(fcntl, "flock", watched)
    writer = a_writer(tmp_path / "journal")
    assert seen == [[], []]
    assert worker_directories(tmp_path) == [the_directory(tmp_path / "journal")]
    await writer.aclose()


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalUnavailableError, match="cannot be used"):
        a_writer(tmp_path / "journal")
