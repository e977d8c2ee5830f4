import socket

import pytest

from tollway.supervisor import port
from tollway.supervisor.errors import StartError
from tollway.supervisor.port import check_port

HERE = "127.43.0.1"
"""Where nobody else listens, so that a port which is let go stays free."""


async def test_a_port_that_another_shares_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_PATIENCE_S", 0.1)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((HERE, 0))
        other.listen()
        number = other.getsockname()[1]
        with pytest.raises(StartError, match=f"{HERE}:{number}.*--port"):
            await check_port(HERE, number)
    await check_port(HERE, number)
