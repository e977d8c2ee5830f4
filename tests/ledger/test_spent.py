"""What several attempts of one request take is their exact sum, and as sure as the least sure of them."""

from hypothesis import given
from hypothesis import strategies as st

from tollway.ledger.entry import ChargeLine, Spent, UsageSource
from tollway.ledger.money import ENTRY_MAX_PICO
from tollway.ledger.settlement import Settlement
from tollway.ledger.spent import merged, together
from tollway.ledger.usage import Usage

AMOUNTS = st.integers(0, ENTRY_MAX_PICO)


@st.composite
def spendings(draw: st.DrawFn) -> Spent:
    amount = draw(AMOUNTS)
    return Spent(
        Usage(input=draw(st.integers(0, 10**6)), output=draw(st.integers(0, 10**6))),
        draw(st.sampled_from(list(UsageSource))),
        draw(st.booleans()),
        amount,
        (ChargeLine("input", 1, amount, amount, "ref"),) if amount else (),
        draw(st.lists(st.builds(Settlement, st.sampled_from([b"a", b"b"]), AMOUNTS, st.booleans())).map(tuple)),
    )


@given(st.lists(spendings(), min_size=1, max_size=5))
def test_sums_are_exact_and_never_more_than_an_entry_holds(parts: list[Spent]) -> None:
    total: Spent | None = None
    for part in parts:
        total = together(total, part)
    assert total is not None
    assert total.usage.input == sum(part.usage.input for part in parts)
    assert total.charge == sum(line.amount for line in total.lines) <= ENTRY_MAX_PICO
    everything = sum(part.charge for part in parts)
    assert total.charge == everything if everything <= ENTRY_MAX_PICO else not total.priced
    assert (total.usage_source is UsageSource.ESTIMATED) == any(
        part.usage_source is UsageSource.ESTIMATED for part in parts
    )


@given(st.lists(st.builds(Settlement, st.sampled_from([b"a", b"b", b"c"]), AMOUNTS, st.booleans())))
def test_settlements_of_the_same_windows_become_one_and_nothing_is_lost(settlements: list[Settlement]) -> None:
    found = merged(settlements)
    assert len({(each.windows, each.leased) for each in found}) == len(found)
    for each in found:
        parts = [part.amount for part in settlements if (part.windows, part.leased) == (each.windows, each.leased)]
        assert each.amount == sum(parts)
