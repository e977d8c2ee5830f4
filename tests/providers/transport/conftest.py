"""The transport, on both event loops: the workers' own, and the one that tests of others bring."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.waiting import eventually
from tollway.config.limits import LimitSettings
from tollway.providers.transport import Transport

Open = Callable[..., Transport]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"], scope="session")
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The event loop."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def open_transport() -> AsyncIterator[Open]:
    """Makes a transport with limits; in the end none may have a connection that nobody gave back."""
    opened: list[Transport] = []

    def make(**limits: float) -> Transport:
        opened.append(Transport(LimitSettings(**({"connect_timeout_s": 60.0} | limits))))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for transport in opened:
        await eventually(lambda pool=transport._pool: not pool._busy)
        await transport.aclose()


@pytest.fixture
def transport(open_transport: Open) -> Transport:
    """A transport with the usual limits."""
    return open_transport()
