"""No request costs more than was held for it, whatever the provider counts within its bounds."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.ledger import bound as module
from tollway.ledger.bound import OUTPUT_TOKENS_MAX, UsageBound, affordable_output_tokens, cost_bound
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.rating import rate
from tollway.ledger.usage import KINDS, Usage

PICO = 10**12
TEXT = ("input", "cache_read", "cache_write_5m", "cache_write_1h")
OUTPUT = ("output", "reasoning", "citation")
amounts = st.integers(0, 10**16)
tiers = st.dictionaries(st.integers(0, 40), amounts, max_size=3).map(lambda each: tuple(sorted(each.items())))
sheets = st.builds(
    PriceSheet,
    provider=st.just("p"),
    model=st.just("m"),
    rates=st.dictionaries(st.sampled_from(KINDS), st.builds(Rate, price=amounts, tiers=tiers)),
)
bounds = st.builds(
    UsageBound,
    input_tokens=st.integers(0, 60),
    answers=st.integers(1, 3),
    extra_output_tokens=st.integers(0, 5),
    audio_input=st.booleans(),
    image_input=st.booleans(),
    other_output=st.booleans(),
    searches=st.integers(0, 3),
    images=st.integers(0, 3),
    audio_seconds=st.integers(0, 90),
    characters=st.integers(0, 90),
)


@st.composite
def usages(draw: st.DrawFn, bound: UsageBound, answer_tokens: int) -> Usage:
    """What a provider may count within the bounds, often all of it."""
    audio = ("audio_input", "audio_cache_read") if bound.audio_input else ()
    image = ("image_input",) if bound.image_input else ()
    other = ("audio_output", "image_output") if bound.other_output else ()
    output_tokens = answer_tokens * bound.answers + bound.extra_output_tokens
    counts = draw(split(TEXT + audio + image, bound.input_tokens)) | draw(split(OUTPUT + other, output_tokens))
    pieces = {name: draw(st.integers(0, getattr(bound, name))) for name in ("images", "audio_seconds", "characters")}
    searches = draw(st.integers(0, bound.searches))
    return Usage(**counts, **pieces, requests=draw(st.integers(0, 1)), web_searches=searches)


@st.composite
def split(draw: st.DrawFn, kinds: tuple[str, ...], total: int) -> dict[str, int]:
    total = draw(st.just(total) | st.integers(0, total))
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=len(kinds) - 1, max_size=len(kinds) - 1)))
    return {
        kind: end - start
        for kind, start, end in zip(draw(st.permutations(kinds)), [0, *cuts], [*cuts, total], strict=True)
    }


def sheet(*, tiered: dict[str, tuple[tuple[int, int], ...]] | None = None, **usd_per_million: str) -> PriceSheet:
    tiers = tiered or {}
    return PriceSheet(
        "p",
        "m",
        {kind: Rate(int(Decimal(usd) * PICO), tiers.get(kind, ())) for kind, usd in usd_per_million.items()},
    )


@given(sheets, bounds, st.integers(0, 60), st.data())
def test_no_usage_within_the_bounds_is_charged_more_than_the_bound(
    prices: PriceSheet, bound: UsageBound, answer_tokens: int, data: st.DataObject
) -> None:
    usage = data.draw(usages(bound, answer_tokens))
    assert rate(usage, prices).total <= cost_bound(prices, bound, answer_tokens)


@given(sheets, bounds, st.integers(0, 10**14))
def test_the_longest_affordable_answer_fits_and_one_token_more_does_not(
    prices: PriceSheet, bound: UsageBound, amount: int
) -> None:
    tokens = affordable_output_tokens(prices, bound, amount)
    if tokens:
        assert cost_bound(prices, bound, tokens) <= amount
    if tokens < OUTPUT_TOKENS_MAX:
        assert cost_bound(prices, bound, tokens + 1) > amount


def test_the_dearest_kind_counts_for_all_of_the_input_and_of_the_output() -> None:
    prices = sheet(input="1", cache_read="0.1", cache_write_1h="2", output="5", reasoning="6")
    assert cost_bound(prices, UsageBound(10), 20) == 10 * 2 * 10**6 + 20 * 6 * 10**6 + 9


@pytest.mark.parametrize(
    ("field", "price", "more"),
    [("audio_input", "audio_input", 90), ("image_input", "image_input", 90), ("other_output", "audio_output", 95)],
)
def test_a_dear_kind_counts_only_where_the_request_may_have_it(field: str, price: str, more: int) -> None:
    prices = sheet(input="10", output="5", **{price: "100"})
    plain = UsageBound(1)
    assert cost_bound(prices, replace(plain, **{field: True}), 1) - cost_bound(prices, plain, 1) == more * 10**6


@pytest.mark.parametrize(("input_tokens", "price"), [(200, 3), (201, 4), (300, 4), (301, 4)])
def test_a_tier_counts_once_the_input_may_reach_it_and_a_cheaper_one_never(input_tokens: int, price: int) -> None:
    prices = sheet(input="3", tiered={"input": ((200, 4 * PICO), (300, 1 * PICO))})
    assert cost_bound(prices, UsageBound(input_tokens), 0) == input_tokens * price * 10**6 + 9


def test_each_answer_each_search_and_the_request_itself_count() -> None:
    prices = sheet(output="5", requests="1000", web_searches="10000")
    held = cost_bound(prices, UsageBound(0, answers=3, extra_output_tokens=2, searches=4), 10)
    assert held == (3 * 10 + 2) * 5 * 10**6 + 10**9 + 4 * 10**10 + 9


def test_each_picture_second_and_character_counts() -> None:
    prices = sheet(images="40000", audio_seconds="100", characters="15")
    held = cost_bound(prices, UsageBound(0, answers=0, searches=0, images=2, audio_seconds=60, characters=7), 0)
    assert held == 2 * 40_000 * 10**6 + 60 * 100 * 10**6 + 7 * 15 * 10**6 + 9


def test_what_is_free_holds_nothing_and_any_answer_is_affordable() -> None:
    free = sheet(input="0", output="0")
    assert cost_bound(free, UsageBound(10**6), 10**6) == 0
    assert affordable_output_tokens(free, UsageBound(10**6), 0) == OUTPUT_TOKENS_MAX


def test_no_answer_is_affordable_where_the_input_alone_costs_too_much() -> None:
    bound = UsageBound(100)
    prices = sheet(input="1", output="0")
    least = cost_bound(prices, bound, 0)
    assert affordable_output_tokens(prices, bound, least - 1) == 0
    assert affordable_output_tokens(prices, bound, least) == OUTPUT_TOKENS_MAX


def test_a_sheet_that_replaced_another_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_ENTRIES", 2)
    for price in range(1, 50):
        prices = sheet(input=str(price))
        assert cost_bound(prices, UsageBound(1), 0) == price * 10**6 + 9
