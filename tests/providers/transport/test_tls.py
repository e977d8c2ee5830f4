"""TLS towards providers, directly and through a proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.authority import Authority
from support.provider import says, serving
from support.standin import closed_port
from tollway.config.limits import LimitSettings
from tollway.errors import UpstreamUnreachableError
from tollway.providers.transport import Transport
from tollway.providers.transport.proxy import proxy_for

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
TLS_HANDSHAKE = b"\x16"
"""What a client that wants TLS says first: the type of a record."""
PROXIES = [f"{name}_proxy" for name in ("http", "https", "no", "all")]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the transport trusts, and no proxy."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return made


async def ask(url: str, *, times: int = 1) -> list[bytes]:
    transport = Transport(LimitSettings(connect_timeout_s=60.0))
    bodies = []
    try:
        for _ in range(times):
            async with transport.post(url, headers={"authorization": "Bearer k"}, body=b"{}", provider="p") as upstream:
                bodies.append(await upstream.read_all(100))
    finally:
        assert not transport._pool._busy
        await transport.aclose()
    return bodies


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_a_certificate_of_a_trusted_authority_is_accepted_for_its_name(authority: Authority, name: str) -> None:
    async with serving(says(HELLO), context=authority.server(name)) as provider:
        assert await ask(provider.url.replace("127.0.0.1", name), times=3) == [b"hello"] * 3
        assert provider.opened == 1


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_a_certificate_for_another_name_is_refused(authority: Authority, name: str) -> None:
    async with serving(says(HELLO), context=authority.server("provider.example", "192.0.2.1")) as provider:
        with pytest.raises(UpstreamUnreachableError):
            await ask(provider.url.replace("127.0.0.1", name))
        assert not provider.requests


async def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    assert authority.path.exists()
    (tmp_path / "other").mkdir()
    async with serving(says(HELLO), context=Authority(tmp_path / "other").server("127.0.0.1")) as provider:
        with pytest.raises(UpstreamUnreachableError):
            await ask(provider.url)
        assert not provider.requests


async def test_a_server_without_tls_is_not_spoken_to(authority: Authority) -> None:
    assert authority.path.exists()
    heard: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.write(HELLO)

    async with serving(lambda _: connected) as provider:
        with pytest.raises(UpstreamUnreachableError):
            await ask(provider.url.replace("http:", "https:"))
    assert heard == [TLS_HANDSHAKE]


class Tunnels:
    """A proxy that knows CONNECT."""

    def __init__(self, *, answer: bytes = b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n") -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.port = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        writer.write(self.answer)
        if not self.answer.startswith(b"HTTP/1.1 200"):
            writer.close()
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def proxying(proxy: Tunnels) -> AsyncIterator[Tunnels]:
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    server.close()


async def test_https_goes_through_the_proxy_of_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxying(Tunnels()) as proxy, serving(says(HELLO), context=authority.server("localhost")) as provider:
        monkeypatch.setenv("HTTPS_PROXY", f"http://us%40er:pa%20ss@127.0.0.1:{proxy.port}")
        assert await ask(provider.url.replace("127.0.0.1", "localhost"), times=2) == [b"hello"] * 2
        assert proxy.heads == [
            f"CONNECT localhost:{provider.port} HTTP/1.1\r\nhost: localhost:{provider.port}\r\n"
            "proxy-authorization: Basic dXNAZXI6cGEgc3M=\r\n\r\n".encode()
        ]
        assert b"proxy-authorization" not in provider.requests[0]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 407 No\r\n\r\n", b"HTTP/1.1 502 No\r\n\r\n", b"", b"200 200 200\r\n\r\n"]
)
async def test_a_proxy_that_refuses_means_the_provider_has_not_heard_the_request(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async with (
        proxying(Tunnels(answer=answer)) as proxy,
        serving(says(HELLO), context=authority.server("localhost")) as provider,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(UpstreamUnreachableError):
            await ask(provider.url)
        assert not provider.requests


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://"])
async def test_a_proxy_that_cannot_be_used_is_never_gone_around(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    async with serving(says(HELLO), context=authority.server("127.0.0.1")) as provider:
        with pytest.raises(UpstreamUnreachableError):
            await ask(provider.url)
        assert not provider.opened


async def test_hosts_that_the_environment_excludes_are_reached_directly(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "localhost,.internal.example")
        async with serving(says(HELLO), context=authority.server("localhost")) as provider:
            assert await ask(provider.url.replace("127.0.0.1", "localhost")) == [b"hello"]
        assert proxy_for("a.internal.example", 443, tls=True) is None
        assert proxy_for("api.example", 443, tls=True) is not None


async def test_plain_http_does_not_go_through_a_proxy(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authority.path.exists()
    with closed_port() as port:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        async with serving(says(HELLO)) as provider:
            assert await ask(provider.url) == [b"hello"]
