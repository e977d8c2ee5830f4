import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.entries import an_entry, opening
from tollway.journal.record import MARK, RECORD_MAX_BYTES, Frame, Gap, decode, encode, frame, scan

PAYLOADS = st.lists(st.binary(max_size=80), max_size=8)


def test_records_come_back_as_they_were_written() -> None:
    entry = an_entry(user_tag="Zürich \0 \N{SNOWMAN}", provider_cost=2**62)
    for record in (entry, opening(entry), opening(entry, input_price=None)):
        (found,) = scan(encode(record))
        assert isinstance(found, Frame)
        assert decode(found.payload) == record


@given(PAYLOADS)
def test_whole_records_are_found_in_order_and_without_gaps(payloads: list[bytes]) -> None:
    found = list(scan(b"".join(map(frame, payloads))))
    assert [part.payload for part in found if isinstance(part, Frame)] == payloads
    assert len(found) == len(payloads)


@given(PAYLOADS, st.data())
def test_a_cut_at_any_byte_leaves_a_prefix_of_whole_records(payloads: list[bytes], data: st.DataObject) -> None:
    written = b"".join(map(frame, payloads))
    kept = data.draw(st.integers(0, len(written)))
    found = list(scan(written[:kept]))
    assert not any(isinstance(part, Gap) for part in found)
    assert [part.payload for part in found if isinstance(part, Frame)] == payloads[: len(found)]
    assert kept == len(written) or len(found) < len(payloads)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.data())
def test_a_flipped_bit_costs_the_record_it_hit_and_no_other(payloads: list[bytes], data: st.DataObject) -> None:
    written = bytearray(b"".join(map(frame, payloads)))
    position = data.draw(st.integers(0, len(written) - 1))
    written[position] ^= 1 << data.draw(st.integers(0, 7))
    ends = [sum(len(frame(payload)) for payload in payloads[: n + 1]) for n in range(len(payloads))]
    hit = next(n for n, end in enumerate(ends) if position < end)
    found = list(scan(bytes(written)))
    assert [part.payload for part in found if isinstance(part, Frame)] == payloads[:hit] + payloads[hit + 1 :]
    assert any(isinstance(part, Gap) for part in found) == (hit < len(payloads) - 1)


@given(st.text())
def test_no_text_of_a_caller_can_look_like_a_record(text: str) -> None:
    assert not any(byte in text.encode("utf-8", "surrogatepass") for byte in MARK[:3])


def test_a_record_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match=str(RECORD_MAX_BYTES)):
        frame(b"x" * (RECORD_MAX_BYTES + 1))
