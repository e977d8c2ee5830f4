"""A TCP connection to a host that may have several addresses, some of them dead. Source: RFC 8305, "Happy Eyeballs"."""

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any

from tollway.providers.transport.public import PrivateAddressError, is_public

_ATTEMPT_DELAY_S = 0.25
"""The next address is tried beside the ones before it after this time; RFC 8305 section 5 recommends it."""


async def dial(host: str, port: int, *, public_only: bool = False) -> socket.socket:
    """A connected socket: of the address that answers first.

    Args:
        host: a name or an address.
        port: of TCP.
        public_only: whether the host must be on the public internet with all its addresses. What is checked is what is
            connected to, so that a name cannot lead elsewhere in between.

    Raises:
        OSError: the host is not known, or none of its addresses answers.
        PrivateAddressError: the host is not where it must be.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if public_only and not all(is_public(str(address[0])) for *_, address in found):
        message = "the host has an address that is not public"
        raise PrivateAddressError(message)
    return await _connect(*found[0]) if len(found) == 1 else await _race(_alternating(found))


async def _race(addresses: list[tuple[Any, ...]]) -> socket.socket:
    attempts: list[asyncio.Task[socket.socket]] = []
    running: set[asyncio.Task[socket.socket]] = set()
    fault: BaseException = OSError("the host has no address")
    try:
        while running or len(attempts) < len(addresses):
            if len(attempts) < len(addresses):
                attempts.append(asyncio.create_task(_connect(*addresses[len(attempts)])))
                running.add(attempts[-1])
            patience_s = _ATTEMPT_DELAY_S if len(attempts) < len(addresses) else None
            done, running = await asyncio.wait(running, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                fault = attempt.exception() or fault
                if attempt.exception() is None:
                    attempts.remove(attempt)
                    return attempt.result()
        raise fault
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_discard)


async def _connect(family: int, kind: int, protocol: int, _name: str, address: Any) -> socket.socket:
    connected = socket.socket(family, kind, protocol)
    try:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connected, address)
    except BaseException:  # cancelled or failed: given back, then raised again
        connected.close()
        raise
    return connected


def _alternating(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The addresses in the resolver's order, the two families by turns, so that a family without a route costs one."""
    same = [address for address in found if address[0] == found[0][0]]
    other = [address for address in found if address[0] != found[0][0]]
    return [address for address in chain.from_iterable(zip_longest(same, other)) if address is not None]


def _discard(attempt: asyncio.Task[socket.socket]) -> None:
    """Close what an attempt made that nobody waits for any more."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
