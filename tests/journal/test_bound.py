"""The bound of the journals holds for the disk: for all workers of a data directory together, live and dead."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.entries import a_writer, an_entry, opening
from support.gateway import Gateway, chat_body, new_mark, running
from support.postgres import PostgresServer
from support.standin import StandIn
from support.waiting import wait_until
from tollway.errors import JournalUnavailableError
from tollway.journal.segment import journal_directory, segment_numbers, segment_path, undrained_bytes
from tollway.journal.writer import JournalWriter
from tollway.ledger.entry import LedgerEntry

WORKERS = 2
BOUND_BYTES = 1024 * 1024
LARGE = {"x-tollway-tags": ", ".join(f"tag-{number}={'v' * 500}" for number in range(16))}
"""Headers that make an entry of 8 kB."""


def fill(writer: JournalWriter, entry: LedgerEntry) -> None:
    while True:
        writer.open(opening(entry))


def the_directory(journal: Path) -> Path:
    (directory,) = journal.iterdir()
    return directory


def drain_up_to_the_last(directory: Path) -> None:
    *whole, _ = segment_numbers(directory)
    for number in whole:
        segment_path(directory, number).unlink()


@contextmanager
def no_drain(gateway: Gateway) -> Iterator[None]:
    """The drain stands still: as for the journals, the database might be away."""
    (drain,) = gateway.children("tollway.jobs.drain")
    drain.suspend()
    try:
        yield
    finally:
        drain.resume()


class Caller:
    """Asks one request after the other, and remembers those that were served."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.served: list[str] = []

    def ask(self) -> httpx.Response:
        mark = new_mark()
        answer = self._gateway.post("/v1/chat/completions", chat_body(user=mark), headers=LARGE)
        if answer.is_success:
            self.served.append(mark)
        return answer

    def is_full(self) -> bool:
        """Ask once more; whether no worker has a byte left after that."""
        self.ask()
        return undrained_bytes(journal_directory(self._gateway.data_dir)) > BOUND_BYTES - WORKERS

    def is_refused(self) -> bool:
        answer = self.ask()
        assert not answer.is_success
        return bool(answer.json()["error"]["code"] == "journal_unavailable")

    def has_landed(self) -> bool:
        return all(self._gateway.entries(mark) for mark in self.served)


@pytest.mark.timeout(300)
def test_all_workers_share_the_bound_and_those_that_come_after_a_kill_find_it_reached(
    postgres_server: PostgresServer, standin: StandIn, tmp_path: Path
) -> None:
    settings = {
        "TOLLWAY_WORKERS": str(WORKERS),
        "TOLLWAY_JOURNAL_MAX_BYTES": str(BOUND_BYTES),
        "TOLLWAY_DRAIN_INTERVAL_MS": "20",
    }
    with running(tmp_path / "data", postgres_server.create(), standin, **settings) as gateway:
        caller = Caller(gateway)
        with no_drain(gateway):
            wait_until(caller.is_full, within_s=120, what="one worker to use what the other leaves")
            dead = {worker.pid for worker in gateway.serving_workers()}
            for worker in gateway.children("tollway.worker"):
                worker.kill()
            wait_until(
                lambda: len({worker.pid for worker in gateway.serving_workers()} - dead) == WORKERS,
                within_s=60,
                what="other workers",
            )
            wait_until(caller.is_refused, within_s=60, what="the new workers to know their callers")
            ready = gateway.client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
            assert "bound" in ready.json()["checks"]["journal"]
        wait_until(gateway.serves, within_s=60, what="readiness")
        assert caller.ask().is_success
        wait_until(caller.has_landed, within_s=60, what="what waited")


async def test_the_journal_of_a_dead_worker_counts_until_it_is_drained(tmp_path: Path) -> None:
    dead, entry = a_writer(tmp_path, max_bytes=20_000), an_entry()
    with pytest.raises(JournalUnavailableError, match="bound"):
        fill(dead, entry)
    await dead.aclose()
    directory = the_directory(tmp_path)
    after = a_writer(tmp_path, max_bytes=20_000)
    assert "bound" in after.fault()
    drain_up_to_the_last(directory)
    wait_until(lambda: not after.fault())
    after.open(opening(entry))
    await after.aclose()


async def test_each_worker_takes_its_part_of_what_is_left_and_what_nobody_else_took_in_the_end(tmp_path: Path) -> None:
    first, second = (a_writer(tmp_path, max_bytes=40_000, writers=2) for _ in range(2))
    entry = an_entry()
    with pytest.raises(JournalUnavailableError, match="bound"):
        fill(first, entry)
    second.open(opening(entry))

    def is_full() -> bool:
        with pytest.raises(JournalUnavailableError, match="bound"):
            fill(first, entry)
        return undrained_bytes(tmp_path) >= 40_000 - 2

    wait_until(is_full)
    await first.aclose()
    await second.aclose()


async def test_a_bound_smaller_than_a_segment_is_no_end_of_service(tmp_path: Path) -> None:
    """The drain lets go of whole segments only, so the bound has room for some."""
    writer = a_writer(tmp_path, segment_bytes=1 << 20, max_bytes=20_000)
    with pytest.raises(JournalUnavailableError, match="bound"):
        fill(writer, an_entry())
    drain_up_to_the_last(the_directory(tmp_path))
    wait_until(lambda: not writer.fault())
    await writer.aclose()
