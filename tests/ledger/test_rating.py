"""Rating is exact integer arithmetic in which nothing is free by accident."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.rating import COVERED_BY, FALLBACKS, FREE_UNLESS_PRICED, rate
from tollway.ledger.usage import KINDS, Usage

PICO = 10**12
counts = st.integers(0, 10**9)
usages = st.builds(Usage, **{kind: counts for kind in KINDS if kind != "requests"}, requests=st.integers(0, 1))
prices = st.integers(0, 10**16)
tiers = st.lists(st.tuples(counts, prices), max_size=3, unique_by=lambda tier: tier[0]).map(
    lambda each: tuple(sorted(each))
)
rates = st.builds(Rate, price=prices, tiers=tiers, ref=st.sampled_from(["a", "b"]))
sheets = st.builds(
    PriceSheet, provider=st.just("p"), model=st.just("m"), rates=st.dictionaries(st.sampled_from(KINDS), rates)
)


def sheet(**usd_per_million: str) -> PriceSheet:
    return PriceSheet(
        "p", "m", {kind: Rate(int(Decimal(usd) * PICO), (), "r") for kind, usd in usd_per_million.items()}
    )


@given(usages, sheets)
def test_the_lines_add_up_to_the_total_and_are_integers(usage: Usage, prices: PriceSheet) -> None:
    charge = rate(usage, prices)
    assert sum(line.amount for line in charge.lines) == charge.total
    assert all(type(value) is int for line in charge.lines for value in (line.quantity, line.price, line.amount))
    assert type(charge.total) is int


@given(usages, sheets)
def test_each_line_is_the_decimal_product_rounded_once(usage: Usage, prices: PriceSheet) -> None:
    for line in rate(usage, prices).lines:
        exact = Decimal(line.quantity) * Decimal(line.price) / 10**6
        assert line.amount == exact.quantize(Decimal(1), ROUND_HALF_UP)


@given(usages, sheets)
def test_no_unit_is_charged_twice_and_none_is_left_out_of_a_priced_charge(usage: Usage, prices: PriceSheet) -> None:
    charge = rate(usage, prices)
    assert len({line.kind for line in charge.lines}) == len(charge.lines)
    assert all(line.quantity == getattr(usage, line.kind) for line in charge.lines)
    if charge.priced:
        charged = {line.kind for line in charge.lines} | {"requests"}
        if "requests" in prices.rates:
            charged.add("web_searches")
        assert {kind for kind, count in zip(KINDS, astuple(usage), strict=True) if count} <= charged


@given(usages, sheets, st.sampled_from(KINDS), st.integers(1, 10**6))
def test_more_of_a_kind_never_costs_less_where_no_tier_is_cheaper(
    usage: Usage, prices: PriceSheet, kind: str, more: int
) -> None:
    rising = {
        name: replace(each, tiers=tuple((above, max(price, each.price)) for above, price in each.tiers[:1]))
        for name, each in prices.rates.items()
    }
    prices = replace(prices, rates=rising)
    assert rate(replace(usage, **{kind: getattr(usage, kind) + more}), prices).total >= rate(usage, prices).total


@given(usages, sheets)
def test_a_charge_is_unpriced_exactly_when_a_used_kind_has_no_price(usage: Usage, prices: PriceSheet) -> None:
    used = {kind for kind in KINDS if getattr(usage, kind)} - FREE_UNLESS_PRICED
    priceable = all({kind, *FALLBACKS.get(kind, ()), COVERED_BY.get(kind)} & prices.rates.keys() for kind in used)
    assert rate(usage, prices).priced == priceable


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "requests"])
def test_a_used_kind_without_any_price_is_never_free(kind: str) -> None:
    charge = rate(Usage(**{kind: 1}), sheet())
    assert (charge.total, charge.lines, charge.priced) == (0, (), False)


@pytest.mark.parametrize(("kind", "fallback"), [(kind, each) for kind, others in FALLBACKS.items() for each in others])
def test_a_kind_without_its_own_price_pays_that_of_the_more_general_kind(kind: str, fallback: str) -> None:
    charge = rate(Usage(**{kind: 1_000_000}), sheet(**{fallback: "2.5"}))
    assert (charge.total, charge.priced, charge.lines[0].kind) == (2_500_000_000_000, True, kind)


def test_its_own_price_goes_before_the_general_one() -> None:
    charge = rate(Usage(input=1_000_000, cache_read=1_000_000), sheet(input="2.5", cache_read="0.25"))
    assert charge.total == 2_750_000_000_000


def test_an_hour_of_caching_costs_what_five_minutes_do_where_it_has_no_price() -> None:
    assert rate(Usage(cache_write_1h=10**6), sheet(input="1", cache_write_5m="1.25")).total == 1_250_000_000_000


def test_an_explicit_zero_is_a_price() -> None:
    charge = rate(Usage(input=5, output=7), sheet(input="0", output="0"))
    assert (charge.total, charge.priced, len(charge.lines)) == (0, True, 2)


def test_a_request_costs_nothing_by_itself_unless_that_is_priced() -> None:
    assert rate(Usage(input=1), sheet(input="1")).priced
    assert rate(Usage(), sheet(requests="12000")).total == 12_000_000_000


def test_searches_are_included_where_the_request_itself_has_a_price() -> None:
    assert rate(Usage(web_searches=3), sheet(requests="12000")).priced
    assert rate(Usage(web_searches=3), sheet(requests="0", web_searches="5000")).total == 15_000_000_000


@pytest.mark.parametrize(("input_total", "price"), [(200_000, 1), (200_001, 2), (500_000, 2), (500_001, 3)])
def test_all_units_pay_the_price_of_the_tier_that_the_whole_input_lies_above(input_total: int, price: int) -> None:
    tiered = Rate(1 * PICO, ((200_000, 2 * PICO), (500_000, 3 * PICO)), "r")
    prices = PriceSheet("p", "m", {"input": tiered, "output": tiered})
    charge = rate(Usage(input=input_total - 10, cache_read=10, output=1_000_000), prices)
    assert {line.price for line in charge.lines} == {price * PICO}
    assert charge.lines[-1].amount == price * PICO


def test_a_half_pico_dollar_is_rounded_up() -> None:
    half = PriceSheet("p", "m", {"input": Rate(500_000)})
    assert [rate(Usage(input=count), half).total for count in (1, 2, 3)] == [1, 1, 2]
