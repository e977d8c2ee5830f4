"""What counts as a whole reply, and what becomes of its connection. Source: RFC 9112."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.provider import Provider, says, serving, silent
from support.waiting import eventually
from tollway.errors import UpstreamCutError, UpstreamMalformedError, UpstreamTooLargeError
from tollway.providers.transport import Transport
from tollway.providers.transport.connection import Connection

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"

KEPT = {
    "content-length": HELLO,
    "chunked": CHUNKED,
    "chunked in capitals": CHUNKED.replace(b"transfer-encoding: chunked", b"Transfer-Encoding: Chunked"),
    "trailers": CHUNKED[:-2] + b"x-request-id: late\r\n\r\n",
    "interim replies": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + HELLO,
    "an offer of another protocol": HELLO.replace(b"content", b"connection: upgrade\r\nupgrade: h2c\r\ncontent", 1),
}
ENDED = {
    "told by closing": OK + b"\r\nhello",
    "told by closing after an interim reply": b"HTTP/1.1 103 Hints\r\ncontent-length: 9\r\n\r\n" + OK + b"\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "HTTP/1.0 with its length": b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "connection: close": OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello",
    "bytes after the announced end": OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello, world",
}
FOLLOWED = {
    "by a second reply": HELLO + OK + b"content-length: 6\r\nx-evil: 1\r\n\r\npoison",
    "by rubbish": HELLO + b"rubbish",
    "by a second reply after chunks": CHUNKED + HELLO,
}
BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "less than announced": OK + b"content-length: 6\r\n\r\nhello",
    "chunks without an end": CHUNKED[:-5],
    "a chunk cut": CHUNKED[:-14],
    "a chunk without a size": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "two ways to tell the length": OK
    + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "a negative length": OK + b"content-length: -5\r\n\r\nhello",
    "an unknown coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a coding after chunked": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a folded header": OK + b"x: a\r\n b\r\ncontent-length: 5\r\n\r\nhello",
    "a line that ends without CR": b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
    "a control character in a header": OK + b"x: a\x01b\r\ncontent-length: 5\r\n\r\nhello",
    "a switch of protocols": b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI",
    "a switch to nothing": b"HTTP/1.1 101 Go\r\n\r\nPRI",
    "status 000": HELLO.replace(b"200", b"000"),
    "status 999": HELLO.replace(b"200", b"999"),
}
ENDLESS = {
    "a header": OK + b"x: " + b"a" * 1_000_000,
    "headers": OK + b"x: y\r\n" * 200_000,
    "interim replies": b"HTTP/1.1 100 Continue\r\n\r\n" * 60_000,
    "the extension of a chunk": OK + b"transfer-encoding: chunked\r\n\r\n5;" + b"a" * 1_000_000,
    "trailers": CHUNKED[:-2] + b"x: y\r\n" * 200_000,
}


async def ask(transport: Transport, provider: Provider, *, body: bytes = b"{}") -> bytes:
    async with transport.post(provider.url, headers={"a": "b"}, body=body, provider="p") as upstream:
        assert upstream.status == 200
        return await upstream.read_all(1_000_000)


@pytest.mark.parametrize("reply", KEPT.values(), ids=KEPT)
async def test_a_connection_serves_again_after_a_whole_reply(transport: Transport, reply: bytes) -> None:
    async with serving(says(reply)) as provider:
        assert [await ask(transport, provider) for _ in range(3)] == [b"hello"] * 3
        assert provider.opened == 1


@pytest.mark.parametrize("reply", ENDED.values(), ids=ENDED)
async def test_a_connection_that_ends_with_its_reply_is_not_used_again(transport: Transport, reply: bytes) -> None:
    async with serving(says(reply, close=True)) as provider:
        assert [await ask(transport, provider) for _ in range(2)] == [b"hello"] * 2
        assert provider.opened == 2


@pytest.mark.parametrize("reply", FOLLOWED.values(), ids=FOLLOWED)
async def test_what_follows_a_reply_reaches_nobody(transport: Transport, reply: bytes) -> None:
    async with serving(says(reply)) as provider:
        for _ in range(2):
            async with transport.post(provider.url, headers={}, body=b"{}", provider="p") as upstream:
                assert await upstream.read_all(100) == b"hello"
                assert not [name for name, _ in upstream.headers if name == "x-evil"]
        assert provider.opened == 2


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
async def test_a_broken_reply_is_never_taken_for_a_whole_one(transport: Transport, reply: bytes) -> None:
    async with serving(says(reply, close=True)) as provider:
        with pytest.raises(UpstreamCutError):
            await ask(transport, provider)


@pytest.mark.parametrize("reply", ENDLESS.values(), ids=ENDLESS)
async def test_what_is_not_the_body_is_bounded(transport: Transport, reply: bytes) -> None:
    async with serving(silent(reply)) as provider:
        with pytest.raises(UpstreamCutError):
            await ask(transport, provider)
        await eventually(lambda: provider.left)


async def test_bytes_that_nobody_asked_for_end_an_idle_connection(transport: Transport) -> None:
    async with serving(says(HELLO)) as provider:
        await ask(transport, provider)
        connection = next(iter(transport._pool._idle.values()))[0]
        connection.data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await eventually(lambda: provider.left)
        assert await ask(transport, provider) == b"hello"
        assert provider.opened == 2


async def test_a_provider_that_hangs_up_between_two_requests_costs_neither(transport: Transport) -> None:
    async with serving(says(HELLO, close=True)) as provider:
        for _ in range(3):
            assert await ask(transport, provider) == b"hello"
            await eventually(lambda: all(each.closed for idle in transport._pool._idle.values() for each in idle))


async def test_trailers_are_not_merged_into_the_headers(transport: Transport) -> None:
    async with (
        serving(says(KEPT["trailers"])) as provider,
        transport.post(provider.url, headers={}, body=b"", provider="p") as upstream,
    ):
        await upstream.read_all(100)
        assert upstream.headers == [("transfer-encoding", "chunked")]


async def test_an_answer_before_the_end_of_the_request_ends_the_connection(transport: Transport) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    def script(_provider: Provider):  # noqa: ANN202 -- as `says`
        async def connected(reader, writer) -> None:  # noqa: ANN001
            await reader.readuntil(b"\r\n\r\n")
            writer.write(refusal)
            await eventually(lambda: writer.is_closing() or reader.at_eof())

        return connected

    async with serving(script) as provider:
        async with transport.post(provider.url, headers={}, body=b"x" * 30_000_000, provider="p") as upstream:
            assert (upstream.status, await upstream.read_all(100)) == (413, b"no")
        assert not any(transport._pool._idle.values())


async def test_a_compressed_reply_is_refused(transport: Transport) -> None:
    reply = OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello"
    async with serving(says(reply)) as provider:
        with pytest.raises(UpstreamMalformedError):
            await ask(transport, provider)


async def test_a_reply_is_read_up_to_the_limit_only(transport: Transport) -> None:
    async with serving(says(OK + b"content-length: 100000000\r\n\r\n" + b"x" * 5_000_000)) as provider:
        with pytest.raises(UpstreamTooLargeError):
            await ask(transport, provider)
        await eventually(lambda: provider.left)


async def test_what_came_before_a_break_is_read_first(transport: Transport) -> None:
    async with (
        serving(says(OK + b"content-length: 9\r\n\r\nhello", close=True)) as provider,
        transport.post(provider.url, headers={}, body=b"", provider="p") as upstream,
    ):
        assert await upstream.read() == b"hello"
        with pytest.raises(UpstreamCutError):
            await upstream.read()


class Wire:
    """A socket that only remembers."""

    closed = paused = False

    def write(self, _data: bytes) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.closed = True


def sent(total_deadline_s: float = 1e9) -> tuple[Connection, Wire]:
    """A connection that has just sent a request."""
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)  # type: ignore[arg-type]
    connection.send(b"", b"", read_timeout_s=1.0, total_deadline_s=total_deadline_s)
    return connection, wire


def result(pieces: list[bytes], *, close: bool) -> tuple[object, ...]:
    """What a connection makes of a reply that comes in these pieces."""
    connection, wire = sent()
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
    body = b"".join(connection._chunks)
    connection._chunks.clear()
    reusable = connection.reusable
    if close and not wire.closed:
        connection.connection_lost(None)
    return connection.status, connection.headers, body, connection.done, reusable


ALL = {**KEPT, **ENDED, **BROKEN}


@given(st.sampled_from(sorted(ALL)), st.sets(st.integers(1, 200)))
def test_where_a_reply_is_cut_changes_nothing(name: str, cuts: set[int]) -> None:
    reply = ALL[name]
    edges = [0, *sorted(cut for cut in cuts if cut < len(reply)), len(reply)]
    pieces = [reply[start:end] for start, end in pairwise(edges)]
    whole, cut = result([reply], close=True), result(pieces, close=True)
    assert cut[3] == whole[3]
    if name in KEPT:
        assert cut == whole
        assert cut[2:] == (b"hello", True, True)
    elif name in ENDED:
        assert cut[2:4] == (b"hello", True)
    else:
        assert not cut[3]


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fail_in_a_way_of_its_own(data: bytes) -> None:
    result([data], close=True)
    result([OK + data], close=True)


def test_a_reader_who_pauses_the_provider_is_only_bound_by_the_total_time() -> None:
    connection, wire = sent(total_deadline_s=1e9)
    connection.data_received(OK + b"content-length: 1000000\r\n\r\n" + b"x" * 300_000)
    assert wire.paused
    connection.tick(1e9 - 1)
    assert not wire.closed
    connection.tick(1e9)
    assert wire.closed


def test_a_whole_reply_that_waits_for_its_reader_is_not_too_late() -> None:
    connection, wire = sent(total_deadline_s=0.0)
    connection.data_received(OK + b"content-length: 300000\r\n\r\n" + b"x" * 300_000)
    connection.tick(1e9)
    assert not wire.closed
