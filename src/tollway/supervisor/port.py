"""Whether the address to listen on is free."""

import asyncio
import socket

from tollway.supervisor.errors import StartError

_PATIENCE_S = 2.0
"""Workers of a killed supervisor are gone within milliseconds."""
_POLL_S = 0.05


async def check_port(host: str, port: int) -> None:
    """Refuse an address that is in use.

    The workers share their port among each other and would also share it with the workers of another Tollway, which
    then gets some of the requests: nobody would notice before keys are refused at random.

    Raises:
        StartError: the address is taken or does not exist here.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _PATIENCE_S
    while True:
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in found:
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections do not matter
                    probe.bind(address)
        except OSError as error:
            if loop.time() > give_up_at:
                raise StartError(
                    f"Tollway cannot listen on {host}:{port}: {error.strerror or error}. "
                    "Choose another address with --host and --port."
                ) from error
            await asyncio.sleep(_POLL_S)
        else:
            return
