import random
import struct
import zlib
from itertools import pairwise
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given
from hypothesis import strategies as st

from support.speakers.bedrock import message
from tollway.providers.bedrock.event_stream import Message, MessageSplitter

TYPES: dict[int, tuple[str, st.SearchStrategy[Any]]] = {
    2: ("!b", st.integers(-(2**7), 2**7 - 1)),
    3: ("!h", st.integers(-(2**15), 2**15 - 1)),
    4: ("!i", st.integers(-(2**31), 2**31 - 1)),
    5: ("!q", st.integers(-(2**63), 2**63 - 1)),
    8: ("!q", st.integers(-(2**63), 2**63 - 1)),
}
"""Types of header values that are numbers: how they are packed, and what they may be."""


@st.composite
def values(draw: st.DrawFn) -> bytes:
    """One header's value with its type before it."""
    kind = draw(st.integers(0, 9))
    if kind in TYPES:
        form, numbers = TYPES[kind]
        return bytes([kind]) + struct.pack(form, draw(numbers))
    if kind in {6, 7}:
        text = draw(st.text(max_size=20).map(lambda found: found.encode("utf-8", "ignore")))
        return bytes([kind]) + struct.pack("!H", len(text)) + text
    return bytes([kind]) + (draw(st.binary(min_size=16, max_size=16)) if kind == 9 else b"")


names = st.from_regex(r":?[a-z-]{1,12}", fullmatch=True)
frames = st.builds(
    lambda headers, payload: framed(b"".join(_named(*each) for each in headers.items()), payload),
    st.dictionaries(names, values(), max_size=5),
    st.binary(max_size=60),
)


def _named(name: str, value: bytes) -> bytes:
    return bytes([len(name)]) + name.encode() + value


def framed(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def by_botocore(data: bytes) -> list[Message]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [Message(found.headers, found.payload) for found in buffer]


def cut(data: bytes, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(8))
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]


@given(st.lists(frames, max_size=4), st.integers(0, 2**16))
def test_messages_are_those_that_botocore_reads_wherever_the_bytes_are_cut(parts: list[bytes], seed: int) -> None:
    data = b"".join(parts)
    splitter = MessageSplitter()
    found = [each for chunk in cut(data, seed) for each in splitter.feed(chunk)]
    assert found == by_botocore(data)
    assert not splitter.torn
    assert not splitter.broken


@given(frames, st.integers(0, 2**16), st.integers(1, 255))
def test_a_flipped_bit_is_noticed_as_botocore_notices_it(data: bytes, place: int, flip: int) -> None:
    flawed = bytearray(data)
    flawed[place % len(data)] ^= flip
    splitter = MessageSplitter()
    assert splitter.feed(bytes(flawed)) == []
    if splitter.broken:
        with pytest.raises(ParserError):
            by_botocore(bytes(flawed))
    else:
        assert splitter.torn


strange = st.builds(framed, st.binary(max_size=40), st.binary(max_size=10))


@given(st.lists(st.binary(max_size=80) | strange, max_size=6))
def test_no_bytes_are_too_strange(chunks: list[bytes]) -> None:
    splitter = MessageSplitter()
    for chunk in chunks:
        splitter.feed(chunk)


def test_nothing_is_kept_of_a_message_that_says_it_is_longer_than_aws_allows() -> None:
    lengths = struct.pack("!II", 2**31, 0)
    splitter = MessageSplitter()
    assert splitter.feed(lengths + struct.pack("!I", zlib.crc32(lengths)) + b"x" * 100) == []
    assert "impossible" in splitter.broken
    assert not splitter.torn


def test_headers_that_claim_to_be_longer_than_they_are_break_the_stream() -> None:
    splitter = MessageSplitter()
    assert splitter.feed(framed(b"\x02ab\x07\xff\xff", b"{}")) == []
    assert "malformed" in splitter.broken


def test_what_came_before_a_broken_message_counts() -> None:
    splitter = MessageSplitter()
    found = splitter.feed(message("messageStart", {}) + b"\x00" * 16)
    assert [each.headers[":event-type"] for each in found] == ["messageStart"]
    assert splitter.broken
    assert splitter.feed(message("messageStart", {})) == []
