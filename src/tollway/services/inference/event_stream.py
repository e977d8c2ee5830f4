"""Replies that are streams of server-sent events: known by their headers, and told to a caller as they come."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from tollway.services.inference.exchange import Caller, Headers

_OK = 200
_TYPE = b"text/event-stream"
_HEADERS = ((b"content-type", _TYPE + b"; charset=utf-8"), (b"cache-control", b"no-cache"))


def is_event_stream(headers: Headers) -> bool:
    """Whether a reply with these headers is one."""
    return any(name == b"content-type" and value.startswith(_TYPE) for name, value in headers)


async def tell_events(caller: Caller, events: AsyncGenerator[bytes], headers: Headers) -> None:
    """Tell a caller all of them. Args: headers: beside those that every stream has."""
    await caller.start(_OK, [*_HEADERS, *headers])
    async with aclosing(events) as running:
        async for event in running:
            await caller.write(event)
    await caller.finish(b"")
