"""The events of one response: all of them reach the database in order, and the memory they take is bounded."""

import asyncio

from tollway.chat.told_event import ends, numbered, split
from tollway.errors import DatabaseUnavailableError
from tollway.services.event_log import EventBatch, EventLog

LONG = b"x" * 100_000


async def nothing(batch: EventBatch) -> None:
    """A database that takes all."""


async def test_what_is_written_is_let_go_of_but_for_the_last_of_it() -> None:
    log = EventLog(nothing)
    for _ in range(40):
        log.add(LONG)
        log.note_written(log.unwritten)
    assert log.next_number == 40
    assert log.since(0) is None
    assert log.since(35) == [LONG] * 5
    assert log.since(40) == []


async def test_a_provider_waits_while_the_database_does_not_take_its_events() -> None:
    written: list[EventBatch] = []
    away, tried = True, asyncio.Event()

    async def write(batch: EventBatch) -> None:
        tried.set()
        if away:
            raise DatabaseUnavailableError("away")
        written.append(batch)

    log = EventLog(write)
    log.start_writing()
    while log.unwritten.size <= 1024 * 1024:
        log.add(LONG)
    waiting = asyncio.create_task(log.room())
    await tried.wait()
    assert not waiting.done()
    away = False
    await waiting
    assert [(batch.first, batch.last) for batch in written] == [(0, log.next_number - 1)]
    await log.stop_writing()


async def test_what_is_left_when_the_writing_stops_is_for_who_stores_the_response() -> None:
    log = EventLog(nothing)
    log.add(b"a")
    log.note_written(log.unwritten)
    log.start_writing()
    log.add(b"b")
    log.add(b"c")
    await log.stop_writing()
    assert log.unwritten == EventBatch(1, (b"b", b"c"))


def test_events_that_were_joined_are_told_apart() -> None:
    events = [numbered("response.output_text.delta", {"delta": "a\n\nb"}, 3), numbered("response.completed", {}, 4)]
    assert split(b"".join(events)) == events
    assert [ends(event) for event in events] == [False, True]
