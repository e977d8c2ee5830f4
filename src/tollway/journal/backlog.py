"""What of one worker's journal is not in the database yet.

`take` gives the next entries, `settle` says that they are in the database. What was taken and not settled is given
again, also to the next process: the database takes an entry in once, whatever happens in between.
"""

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tollway.journal.cursor import Cursor, load_cursor, save_cursor
from tollway.journal.lock import try_lock
from tollway.journal.reader import Damage, Position, read_chunk
from tollway.journal.record import encode
from tollway.journal.reserve import Reserve
from tollway.journal.segment import segment_numbers, segment_path
from tollway.journal.sent import SentSegments
from tollway.ledger.entry import EntryOpen, LedgerEntry
from tollway.ledger.interrupted import interrupted_entry


class Batch(msgspec.Struct, frozen=True):
    """Entries to store, and the state once they are.

    Attributes:
        entries: in the order they were written.
        records: what each was read from.
        damages: what could not be read on the way.
        more: whether another batch may be waiting already.
    """

    entries: list[LedgerEntry]
    records: list[bytes]
    damages: list[Damage]
    more: bool
    cursor: Cursor


class Backlog:
    """The directory of one worker, seen from the drain.

    Args:
        directory: the worker's.
        quarantine: where damaged segments are copied to.
        sent: where segments go that were read to the end.
    """

    def __init__(self, directory: Path, *, quarantine: Path, sent: SentSegments) -> None:
        self.directory = directory
        self._quarantine = quarantine
        self._sent = sent
        self._cursor = load_cursor(directory)
        self._saved = True
        self._lock: int | None = None

    @property
    def adopted(self) -> bool:
        """Whether the worker is dead, and this process finishes its journal."""
        return self._lock is not None

    def adopt(self) -> bool:
        """Take the journal over if its worker is dead; whether it is."""
        if self._lock is None:
            self._lock = try_lock(self.directory)
        return self.adopted

    def take(self, *, max_entries: int, after: Batch | None = None) -> Batch:
        """The next entries, at the most so many; those after a batch that is not settled yet, if one is given.

        Once a dead worker's journal is read, the entries of its interrupted requests are added to it, and then read as
        any others: so they can be sent again as any others.

        Raises:
            OSError: the journal cannot be read, or not be added to.
        """
        cursor = after.cursor if after else self._cursor
        chunk = read_chunk(self.directory, cursor.position, dead=self.adopted, max_entries=max_entries)
        opens = dict(cursor.opens)
        opens |= {record.entry_id: record for record in chunk.opens}
        for entry in chunk.entries:
            opens.pop(entry.entry_id, None)
        if self.adopted and opens and not chunk.more and not chunk.entries:
            self._add_interrupted(opens.values())
        more = chunk.more or (self.adopted and bool(opens))
        damaged = cursor.damaged | {damage.segment for damage in chunk.damages if not damage.torn}
        return Batch(chunk.entries, chunk.records, chunk.damages, more, Cursor(chunk.position, opens, damaged))

    def settle(self, batch: Batch) -> None:
        """The entries of the batch are in the database: never give them again, and let go of segments read to the end.

        Raises:
            OSError: the disk refused it. This process goes on behind the batch all the same; another one that comes
                after it is given these entries again.
        """
        if batch.cursor != self._cursor:
            self._cursor = batch.cursor
            self._saved = False
        drained = [number for number in segment_numbers(self.directory) if number < self._cursor.position.segment]
        if not self._saved:
            self._save(drained)
        for number in drained:
            self._discard(number)

    def rewind(self) -> None:
        """Give the segment that is being read again from its beginning; those before it are with the sent ones.

        Raises:
            OSError: the disk refused it.
        """
        if self._cursor.position.offset:
            self._cursor = replace(self._cursor, position=Position(self._cursor.position.segment))
            self._saved = False
        if not self._saved:
            self._save([])

    def remove(self) -> None:
        """Remove the directory of a dead worker whose last batch is settled, and give up its lock.

        Raises:
            OSError: the disk refused it; may be tried again.
        """
        if self._lock is None:
            return
        for number in segment_numbers(self.directory):
            self._discard(number)
        shutil.rmtree(self.directory)
        self.release()

    def release(self) -> None:
        """Give up the lock of a dead worker, so that another process can adopt it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _add_interrupted(self, opens: Iterable[EntryOpen]) -> None:
        """As a segment of its own: the last one may end in the middle of a record."""
        Reserve(self.directory).release()
        path = segment_path(self.directory, max(segment_numbers(self.directory), default=0) + 1)
        try:
            with path.open("xb") as file:
                file.writelines(encode(interrupted_entry(record)) for record in opens)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def _save(self, drained: list[int]) -> None:
        """Store the cursor. On a full disk the first drained segment makes room for it, and so for everything else.

        The cursor carries the open requests of that segment: they would be forgotten only if this process and their
        worker died at this very moment.
        """
        try:
            save_cursor(self.directory, self._cursor)
        except OSError as error:
            sound = [number for number in drained if number not in self._cursor.damaged]
            if error.errno != errno.ENOSPC or not sound:
                raise
            segment_path(self.directory, sound[0]).unlink()
            drained.remove(sound[0])
            save_cursor(self.directory, self._cursor)
        self._saved = True

    def _discard(self, number: int) -> None:
        if number in self._cursor.damaged:
            path = segment_path(self.directory, number)
            self._quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
            copy = self._quarantine / f"{self.directory.name}-{path.name}"
            try:
                copy.hardlink_to(path)
            except FileExistsError:
                pass  # of an attempt that failed after it
            except OSError:  # another disk
                shutil.copy(path, copy)
        self._sent.keep(self.directory, number)
