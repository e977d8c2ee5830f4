from hypothesis import given
from hypothesis import strategies as st

from support.entries import an_entry, opening
from tollway.ledger.interrupted import interrupted_entry


@given(st.integers(0, 2**32), st.integers(0, 10**15))
def test_the_estimated_input_is_charged_at_the_price_known_at_admission(size: int, price: int) -> None:
    request = an_entry(request_bytes=size)
    entry = interrupted_entry(opening(request, input_price=price))
    assert entry.usage.input == (size + 3) // 4
    assert entry.usage_source == "estimated"
    assert entry.charge == (entry.usage.input * price + 500_000) // 1_000_000
    assert entry.priced
    assert (entry.status, entry.outcome, entry.entry_id) == (0, "interrupted", request.entry_id)
