"""Entries on their way into the ledger."""

from collections.abc import Iterator

from tollway.data.ledger_counts import LedgerCounts
from tollway.data.ledger_row import row
from tollway.journal.record import decode
from tollway.ledger.entry import LedgerEntry


class Intake:
    """The entries of one transaction, as rows and sums.

    The entries themselves are not kept: thousands of them are more memory than the processor's caches hold. Who needs
    them after all reads their records again.

    Attributes:
        records: of the journal, one an entry.
        rows: from `tollway.data.ledger_row`, in the same order.
        counts: what all of them add to the rollups and take from budgets.
    """

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.rows: list[bytes] = []
        self.counts = LedgerCounts()

    def add(self, entry: LedgerEntry, record: bytes) -> None:
        """One more entry, and its record.

        Raises:
            ValueError, OverflowError, struct.error: the database cannot hold it; nothing of it was added.
        """
        self.rows.append(row(entry))
        self.records.append(record)
        self.counts.add(entry)

    def entries(self) -> Iterator[LedgerEntry]:
        """The entries, read anew."""
        for record in self.records:
            entry = decode(record)
            if isinstance(entry, LedgerEntry):
                yield entry

    def halves(self) -> "tuple[Intake, Intake]":
        """Two, each with its part of the entries."""
        first, second = Intake(), Intake()
        middle = len(self.records) // 2
        for number, (entry, record) in enumerate(zip(self.entries(), self.records, strict=True)):
            (first if number < middle else second).add(entry, record)
        return first, second
