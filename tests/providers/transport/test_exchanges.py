"""What goes out, and how an exchange ends that is left, cancelled or too slow."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.provider import Connected, Provider, says, serving, silent
from support.standin import closed_port
from support.waiting import eventually
from tollway.config.limits import LimitSettings
from tollway.errors import UpstreamCutError, UpstreamTimeoutError, UpstreamUnreachableError
from tollway.providers.transport import Transport
from tollway.providers.transport.dial import _race, dial
from tollway.providers.transport.public import is_public

Open = Callable[..., Transport]
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
IDLE = Transport(LimitSettings())
HEADS = {"nothing": b"", "an interim reply": b"HTTP/1.1 100 Continue\r\n\r\n", "half a head": OK}
PARTS = {
    "length": OK + b"content-length: 9\r\n\r\nhello",
    "chunks": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "closing": OK + b"\r\nhello",
}


async def ask(transport: Transport, url: str, *, body: bytes = b"{}") -> bytes:
    async with transport.post(url, headers={}, body=body, provider="p") as upstream:
        return await upstream.read_all(10_000_000)


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 70_000, b"y" * 3_000_000], ids=len)
async def test_a_request_arrives_as_it_was_given(transport: Transport, body: bytes) -> None:
    async with serving(says(HELLO)) as provider:
        headers = {"authorization": "Bearer k", "x-title": "Grüße"}
        async with transport.post(provider.url + "?a=b", headers=headers, body=body, provider="p"):
            pass
        head, _, received = provider.requests[0].partition(b"\r\n\r\n")
        assert received == body
        assert head.decode("latin-1").split("\r\n") == [
            "POST /v1/chat/completions?a=b HTTP/1.1",
            f"host: 127.0.0.1:{provider.port}",
            "user-agent: tollway",
            f"content-length: {len(body)}",
            "authorization: Bearer k",
            "x-title: Grüße",
        ]


@given(st.dictionaries(st.sampled_from(["authorization", "x-title"]), st.text(max_size=20) | st.just("a\r\nb: c")))
def test_no_header_value_can_add_a_header(headers: dict[str, str]) -> None:
    try:
        upstream = IDLE.post("http://h/", headers=headers, body=b"", provider="p")
    except UpstreamUnreachableError:
        return
    lines = upstream._head.decode("latin-1").split("\r\n")
    assert lines[4:] == [*(f"{name}: {value}" for name, value in headers.items()), "", ""]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "ftp://h/",
            "http://",
            "http:///v1",
            "h:80/v1",
            "http://h:99999/",
            "http://h:x/",
            "http://[::1/",
            "//h/v1",
        ),
        *(
            "http://h/a b",
            "http://h h/",
            "http://h/\r\nx: y",
            "http://h\r\nx: y/",
            "http://h/\x00",
            "http://é/",
            "http://h/?a b",
        ),
    ],
)
def test_an_address_that_cannot_be_asked_is_told_as_the_configuration_s_fault(url: str) -> None:
    with pytest.raises(UpstreamUnreachableError):
        IDLE.post(url, headers={}, body=b"", provider="p")


async def test_the_password_of_an_address_is_not_sent_as_its_host(transport: Transport) -> None:
    async with serving(says(HELLO)) as provider:
        await ask(transport, provider.url.replace("//", "//user:secret@"))
        assert b"secret" not in provider.requests[0]


# --- connecting -----------------------------------------------------------------------------------------


async def test_a_refused_connection_means_the_provider_has_not_heard_the_request(transport: Transport) -> None:
    with closed_port() as port, pytest.raises(UpstreamUnreachableError):
        await ask(transport, f"http://127.0.0.1:{port}/")


async def test_an_unknown_host_means_the_provider_has_not_heard_the_request(transport: Transport) -> None:
    with pytest.raises(UpstreamUnreachableError):
        await ask(transport, "http://no-such-host.invalid/")


def full_listener() -> socket.socket:
    """A listener that never completes another connection, as an address without a route does not."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    return listener


async def crowd(listener: socket.socket) -> list[socket.socket]:
    """Fill the queue of a listener."""
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(listener.getsockname())
    return waiting


async def test_a_dead_address_does_not_keep_a_host_from_being_reached() -> None:
    async with serving(says(HELLO)) as provider:
        with full_listener() as dead:
            waiting = await crowd(dead)
            loop = asyncio.get_running_loop()
            addresses = [
                (await loop.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM))[0]
                for port in (dead.getsockname()[1], provider.port)
            ]
            with await _race(addresses) as connected:
                assert connected.getpeername()[1] == provider.port
            for each in waiting:
                each.close()


async def test_a_host_none_of_whose_addresses_answers_is_a_fault_of_the_network() -> None:
    loop = asyncio.get_running_loop()
    with closed_port() as first, closed_port() as second:
        found = [(await loop.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM))[0] for port in (first, second)]
        with pytest.raises(ConnectionRefusedError):
            await _race(found)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
async def test_a_host_that_must_be_public_and_is_not_is_never_connected_to(transport: Transport, host: str) -> None:
    async with serving(says(HELLO)) as provider:
        url = provider.url.replace("127.0.0.1", host)
        assert await ask(transport, url) == b"hello"  # a free connection of others is there, and must not be used
        opened = provider.opened
        with pytest.raises(UpstreamUnreachableError, match="not public"):
            async with transport.post(url, headers={}, body=b"{}", provider="stub", public_only=True):
                pass
        assert provider.opened == opened


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:1.1.1.1", True),
        ("64:ff9b::101:101", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104 -- read, not bound
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("2001::1", False),
    ],
)
def test_an_address_of_the_public_internet_is_told_from_others(address: str, *, public: bool) -> None:
    assert is_public(address) is public


async def test_connecting_takes_no_longer_than_it_may(open_transport: Open) -> None:
    transport = open_transport(connect_timeout_s=0.1)
    with full_listener() as dead:
        waiting = await crowd(dead)
        with pytest.raises(UpstreamUnreachableError):
            await ask(transport, f"http://127.0.0.1:{dead.getsockname()[1]}/")
        for each in waiting:
            each.close()


async def test_localhost_is_reached_by_whichever_family_listens(transport: Transport) -> None:
    async with serving(says(HELLO)) as provider:
        assert await ask(transport, provider.url.replace("127.0.0.1", "localhost")) == b"hello"
        (await dial("localhost", provider.port)).close()


async def test_an_address_of_version_6_is_reached(transport: Transport) -> None:
    try:
        async with serving(says(HELLO), listen="::1") as provider:
            assert await ask(transport, provider.url) == b"hello"
            assert f"host: [::1]:{provider.port}".encode() in provider.requests[0]
    except OSError:
        pytest.skip("this machine has no IPv6")


async def test_a_provider_that_closes_at_once_is_no_defect(transport: Transport) -> None:
    def script(_provider: Provider) -> Connected:
        async def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        return connected

    async with serving(script) as provider:
        for _ in range(20):
            with pytest.raises((UpstreamUnreachableError, UpstreamCutError)):
                await ask(transport, provider.url)


# --- leaving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", HEADS.values(), ids=HEADS)
async def test_who_is_cancelled_before_the_reply_hangs_up_on_the_provider(transport: Transport, said: bytes) -> None:
    async with serving(silent(said)) as provider:
        asking = asyncio.create_task(ask(transport, provider.url))
        await eventually(lambda: provider.requests)
        asking.cancel()
        await eventually(lambda: provider.left)
        assert asking.cancelled()


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
async def test_who_is_cancelled_in_the_body_hangs_up_on_the_provider(transport: Transport, part: bytes) -> None:
    async with serving(silent(part)) as provider:
        begun = asyncio.Event()

        async def read() -> None:
            async with transport.post(provider.url, headers={}, body=b"", provider="p") as upstream:
                while await upstream.read():
                    begun.set()

        reading = asyncio.create_task(read())
        await begun.wait()
        reading.cancel()
        await eventually(lambda: provider.left)
        assert reading.cancelled()


async def test_who_leaves_without_reading_hangs_up_on_the_provider(transport: Transport) -> None:
    async with serving(silent(PARTS["chunks"])) as provider:
        async with transport.post(provider.url, headers={}, body=b"", provider="p"):
            pass
        await eventually(lambda: provider.left)


async def test_who_is_cancelled_while_connecting_leaves_nothing_behind(transport: Transport) -> None:
    with full_listener() as dead:
        waiting = await crowd(dead)
        asking = asyncio.create_task(ask(transport, f"http://127.0.0.1:{dead.getsockname()[1]}/"))
        for _ in range(20):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        for each in waiting:
            each.close()
    assert not transport._pool._idle


async def test_who_is_cancelled_in_the_tls_handshake_hangs_up(transport: Transport) -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        begun.set()
        with contextlib.suppress(OSError):
            await reader.read()
        left.set()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    asking = asyncio.create_task(ask(transport, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    await begun.wait()
    asking.cancel()
    await eventually(left.is_set)
    assert asking.cancelled()
    server.close()


# --- waiting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", {**HEADS, **PARTS}.values(), ids={**HEADS, **PARTS})
async def test_a_silent_provider_is_given_up(open_transport: Open, said: bytes) -> None:
    transport = open_transport(read_timeout_s=0.1)
    async with serving(silent(said)) as provider:
        with pytest.raises(UpstreamTimeoutError):
            await ask(transport, provider.url)
        await eventually(lambda: provider.left)


def dripping(provider: Provider) -> Connected:
    """One byte after the other, without an end."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await provider.request(reader)
            writer.write(OK + b"\r\n")
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            provider.left += 1

    return connected


async def test_a_provider_that_drips_is_given_up_at_the_total_time(open_transport: Open) -> None:
    transport = open_transport(total_timeout_s=0.3)
    async with serving(dripping) as provider:
        with pytest.raises(UpstreamTimeoutError):
            await ask(transport, provider.url)
        await eventually(lambda: provider.left)


async def test_a_provider_that_does_not_read_is_given_up(open_transport: Open) -> None:
    def script(_provider: Provider) -> Connected:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await eventually(writer.is_closing)

        return connected

    transport = open_transport(read_timeout_s=0.1)
    async with serving(script) as provider:
        with pytest.raises(UpstreamTimeoutError):
            await ask(transport, provider.url, body=b"x" * 30_000_000)


async def test_timeouts_are_still_kept_after_a_defect_in_keeping_one(
    open_transport: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = open_transport(read_timeout_s=0.1)
    pool, failed = transport._pool, []
    tick = pool._tick

    def fails_once(now_s: float) -> None:
        if not failed:
            failed.append(now_s)
            raise RuntimeError
        tick(now_s)

    monkeypatch.setattr(pool, "_tick", fails_once)
    async with serving(silent()) as provider:
        with pytest.raises(UpstreamTimeoutError):
            await ask(transport, provider.url)
    assert failed


async def test_an_idle_connection_is_closed_in_the_end(transport: Transport) -> None:
    async with serving(says(HELLO)) as provider:
        await ask(transport, provider.url)
        next(iter(transport._pool._idle.values()))[0].idle_since_s -= 3_600
        await eventually(lambda: provider.left)
        assert not transport._pool._idle


# --- size -----------------------------------------------------------------------------------------------


async def test_a_reader_who_waits_makes_the_provider_wait(transport: Transport) -> None:
    size = 64 * 1024 * 1024

    async with (
        serving(says(OK + b"content-length: %d\r\n\r\n" % size, b"x" * size)) as provider,
        transport.post(provider.url, headers={}, body=b"", provider="p") as upstream,
    ):
        connection = upstream._connection
        await eventually(lambda: connection._paused)
        assert connection._buffered < 2_000_000
        total = 0
        while (chunk := await upstream.read()) is not None:
            total += len(chunk)
            assert len(chunk) < 2_000_000
        assert total == size
        assert connection.reusable


async def test_a_long_reply_leaves_time_for_others(transport: Transport) -> None:
    size = 64 * 1024 * 1024
    async with serving(says(OK + b"content-length: %d\r\n\r\n" % size, b"x" * size)) as provider:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        reads = 0
        async with transport.post(provider.url, headers={}, body=b"", provider="p") as upstream:
            while await upstream.read() is not None:
                reads += 1
        counting.cancel()
        assert turns >= reads
