"""The price book: what a model costs, for whom, and when."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.prices import price_base
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.price_base import (
    MODEL_NAME_MAX_CHARS,
    BaseBook,
    BookModel,
    BookProvider,
    Match,
    PriceBase,
    PriceSpan,
    When,
)
from tollway.ledger.price_book import CACHE_ENTRIES, PriceBook
from tollway.ledger.price_override import PriceOverride
from tollway.ledger.rating import rate
from tollway.ledger.usage import Usage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DAY = 86_400
USD = 10**12


def override(number: int = 1, **fields: object) -> PriceOverride:
    stated = {"organization_id": None, "provider": "openai", "model": "gpt-4o-mini", "rates": {"input": USD}} | fields
    return PriceOverride(id=str(number), **stated)  # type: ignore[arg-type]


def ask(
    *overrides: PriceOverride,
    model: str = "gpt-4o-mini",
    organization: str = "acme",
    name: str = "openai",
    provider: str = "openai",
    at: float = NOW,
    sent: str = "",
    tier: str = "",
) -> PriceSheet | None:
    return PriceBook(price_base(), overrides).sheet(
        provider, model, organization_id=organization, provider_name=name, at=at, model_sent=sent, service_tier=tier
    )


def input_ref(sheet: PriceSheet | None) -> str:
    assert sheet is not None
    return sheet.rates["input"].ref


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "GPT-4o-mini", "gpt-4o-mini-20240718"])
def test_a_model_with_a_date_suffix_finds_its_price(model: str) -> None:
    sheet = ask(model=model)
    assert sheet is not None
    assert {kind: sheet.rates[kind].price for kind in ("input", "cache_read", "output")} == {
        "input": 150_000_000_000,
        "cache_read": 75_000_000_000,
        "output": 600_000_000_000,
    }
    assert input_ref(sheet) == f"{price_base().version}:openai/gpt-4o-mini"


@pytest.mark.parametrize(("provider", "model"), [("openai", "no-such"), ("no-such", "gpt-4o"), ("", "x")])
def test_an_unknown_model_has_no_sheet_at_all(provider: str, model: str) -> None:
    assert ask(provider=provider, name="mine", model=model) is None


@pytest.mark.parametrize("model", ["", "x" * 257, "x" * 100_000])
def test_what_cannot_be_a_model_name_has_no_sheet(model: str) -> None:
    assert ask(model=model) is None


def test_the_local_model_is_free_explicitly() -> None:
    sheet = ask(provider="local", name="local", model="anything.gguf")
    assert sheet is not None
    charge = rate(Usage(input=5, output=7, reasoning=1, images=1, web_searches=1), sheet)
    assert (charge.total, charge.priced) == (0, True)
    assert {line.ref for line in charge.lines} == {"builtin:local"}


def test_an_override_replaces_its_kinds_and_keeps_the_base_price_of_the_others() -> None:
    sheet = ask(override(7, rates={"input": 2 * USD}, tiers={"input": ((1_000, 3 * USD),)}))
    assert sheet is not None
    assert sheet.rates["input"] == Rate(2 * USD, ((1_000, 3 * USD),), "override:7")
    assert sheet.rates["output"].ref.startswith("genai-prices@")


def test_an_override_prices_a_model_that_the_base_book_does_not_know() -> None:
    sheet = ask(override(model="in-house", provider="mine"), model="in-house", name="mine", provider="")
    assert sheet == PriceSheet("mine", "in-house", {"input": Rate(USD, (), "override:1")})


@pytest.mark.parametrize(
    "particular",
    [
        {"organization_id": "acme"},
        {"organization_id": "acme", "model": "*"},
        {"organization_id": "acme", "provider": "*", "model": "*"},
        {"model": "gpt-4o-mini", "valid_from": NOW - 1},
    ],
)
def test_the_most_specific_override_wins_whatever_the_order(particular: dict[str, object]) -> None:
    general = override(1, model="gpt-4o-mini")
    special = override(2, **particular)
    assert input_ref(ask(general, special)) == "override:2"
    assert input_ref(ask(special, general)) == "override:2"


def test_among_equally_specific_overrides_the_latest_to_begin_wins_and_specificity_goes_first() -> None:
    older, newer = override(1, valid_from=NOW - 20), override(2, valid_from=NOW - 10)
    own = override(3, organization_id="acme", valid_from=NOW - 30)
    assert input_ref(ask(newer, older)) == "override:2"
    assert input_ref(ask(own, newer, older)) == "override:3"


def test_an_override_of_another_organization_or_provider_does_not_hold() -> None:
    theirs = override(1, organization_id="other")
    elsewhere = override(2, provider="elsewhere")
    assert input_ref(ask(theirs, elsewhere)).startswith("genai-prices@")


def test_an_installation_wide_override_may_name_the_provider_as_the_price_book_does() -> None:
    assert input_ref(ask(override(1), name="our-openai")) == "override:1"
    assert input_ref(ask(override(1, organization_id="acme"), name="our-openai")).startswith("genai-prices@")


@pytest.mark.parametrize(
    ("answered", "sent"),
    [("gpt-4o-mini-2024-07-18", "gpt-4o-mini"), ("gpt-4o-mini-2024-07-18", ""), ("/models/x.gguf", "gpt-4o-mini")],
)
def test_an_override_of_the_model_that_was_sent_holds_for_the_one_that_answered(answered: str, sent: str) -> None:
    assert input_ref(ask(override(), model=answered, sent=sent)) == "override:1"


def test_a_model_that_answers_under_an_unknown_name_has_the_price_of_the_one_that_was_sent() -> None:
    assert input_ref(ask(model="/models/x.gguf", sent="gpt-4o-mini")).endswith("openai/gpt-4o-mini")


def test_an_override_holds_from_its_start_until_before_its_end() -> None:
    dated = override(valid_from=NOW, valid_to=NOW + 10)
    book = PriceBook(price_base(), [dated])
    refs = [
        input_ref(book.sheet("openai", "gpt-4o-mini", organization_id="o", provider_name="openai", at=at))
        for at in (NOW - 0.1, NOW, NOW + 9.9, NOW + 10, NOW + 5, NOW - 1)
    ]
    assert [ref == "override:1" for ref in refs] == [False, True, True, False, True, False]


def test_a_model_without_a_price_gets_one_when_its_override_begins() -> None:
    book = PriceBook(price_base(), [override(model="new", valid_from=NOW)])
    found = [book.sheet("openai", "new", organization_id="o", provider_name="openai", at=NOW + s) for s in (-1, 0)]
    assert found[0] is None
    assert input_ref(found[1]) == "override:1"


def test_a_service_tier_has_its_own_price_and_says_so_in_the_reference() -> None:
    plain, priority = ask(model="gpt-5"), ask(model="gpt-5", tier="priority")
    assert plain is not None
    assert priority is not None
    assert priority.rates["input"].price > plain.rates["input"].price
    assert priority.rates["input"].ref.endswith("[priority]")
    assert ask(model="gpt-5", tier="no-such-tier") == plain


def test_a_book_tells_which_models_it_lists_for_a_provider() -> None:
    book = PriceBook(price_base())
    assert "gpt-4o-mini" in book.models("openai")
    assert book.models("no-such") == ()


def test_the_memory_of_a_book_is_bounded() -> None:
    book = PriceBook(PriceBase(BaseBook("none", ())))
    for number in range(CACHE_ENTRIES + 50):
        book.sheet("p", f"m{number}", organization_id="o", provider_name="p", at=NOW)
    assert len(book._sheets) == CACHE_ENTRIES


def _timed_book(spans: list[When]) -> PriceBook:
    model = BookModel(
        "m", Match("equals", "m"), tuple(PriceSpan(when, {"input": Rate(index)}) for index, when in enumerate(spans))
    )
    return PriceBook(PriceBase(BaseBook("b@1", (BookProvider("p", None, (model,)),))))


seconds = st.integers(0, DAY - 1)
whens = st.one_of(
    st.builds(When, since=st.integers(0, 20 * DAY).map(float)),
    st.builds(When, daily=st.tuples(seconds, seconds)),
    st.just(When()),
)


@given(st.lists(whens, min_size=1, max_size=4), st.lists(st.integers(0, 20 * DAY), min_size=1, max_size=30))
def test_a_remembered_price_is_always_the_one_a_fresh_look_finds(spans: list[When], times: list[int]) -> None:
    remembering = _timed_book(spans)
    for at in times:
        fresh = _timed_book(spans)
        asked = {"organization_id": "o", "provider_name": "p", "at": float(at)}
        sheet = remembering.sheet("p", "m", **asked)  # type: ignore[arg-type]
        assert sheet is not None
        assert sheet.rates == fresh.sheet("p", "m", **asked).rates  # type: ignore[arg-type, union-attr]
        assert sheet.valid_from <= at < sheet.valid_until


@given(st.lists(whens, min_size=1, max_size=4), st.integers(0, 20 * DAY))
def test_the_last_span_that_holds_is_the_price(spans: list[When], at: int) -> None:
    sheet = _timed_book(spans).sheet("p", "m", organization_id="o", provider_name="p", at=at)
    holding = [index for index, when in enumerate(spans) if when.holds_at(at)]
    assert sheet is not None
    assert sheet.rates["input"].price == (holding[-1] if holding else 0)


def test_a_daily_price_is_found_again_on_the_next_day() -> None:
    book = _timed_book([When(), When(daily=(3_600, 7_200))])
    prices = []
    for at in (5_400, 9_000, DAY + 5_400, DAY + 9_000, DAY - 1, 0):
        sheet = book.sheet("p", "m", organization_id="o", provider_name="p", at=float(at))
        assert sheet is not None
        prices.append(sheet.rates["input"].price)
    assert prices == [1, 0, 1, 0, 0, 0]


def test_a_name_too_long_for_a_model_is_not_matched_against_the_rules() -> None:
    model = BookModel("m", Match("contains", "m"), (PriceSpan(When(), {"input": Rate(1)}),))
    base = PriceBase(BaseBook("b@1", (BookProvider("p", None, (model,)),)))
    assert base.sheet("p", "m" * MODEL_NAME_MAX_CHARS, at=0) is not None
    assert base.sheet("p", "m" * (MODEL_NAME_MAX_CHARS + 1), at=0) is None


def test_a_span_across_midnight_holds_on_both_sides() -> None:
    night = When(daily=(22 * 3_600, 6 * 3_600))
    assert [night.holds_at(hour * 3_600) for hour in (21, 22, 23, 0, 5, 6, 12)] == [
        False, True, True, True, True, False, False,
    ]  # fmt: skip


def test_a_rule_of_an_unknown_kind_is_an_error_and_not_a_miss() -> None:
    with pytest.raises(ValueError, match="sounds_like"):
        Match("sounds_like", "m").matches("m")
