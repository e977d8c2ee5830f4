"""The base book says what genai-prices says, without carrying it."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from genai_prices import data, types
from genai_prices.data_units import unit_data
from hypothesis import given, settings
from hypothesis import strategies as st

from support.prices import price_base
from tollway.ledger.money import charge, pico_from_usd, usd_text
from tollway.ledger.price import PriceSheet, Rate
from tollway.ledger.price_base import BaseBook
from tollway.ledger.rating import rate
from tollway.ledger.usage import KINDS, Usage
from tollway.providers.stated_free import STATED_FREE
from tollway.services import price_base as loading
from tollway.services.price_base_build import DIMENSIONS, FREE_SUFFIX, build

PROVIDERS = {provider.id: provider for provider in data.providers}
MODELS = [(provider.id, model.id) for provider in data.providers for model in provider.models]
UNMAPPED = {
    "cache_image_read_mtok": "realtime only; chat replies do not tell cached image tokens apart",
    "input_video_mtok": "no surface reports video tokens",
    "output_video_mtok": "no surface reports video tokens",
    "input_document_kpages": "no document surface",
    "input_annotated_document_kpages": "no document surface",
    "input_text_messages_kcount": "no surface counts messages",
    "storage_searches_kcount": "searches of a provider's file stores are not counted",
}
"""Price keys that are not counted, and why."""
SUFFIXES = ["", "-2025-12-11", "-20251211", "-20250230", ":free", "-latest", "x"]


def expected(price: Decimal | types.TieredPrices, factor: int) -> tuple[Decimal, tuple[tuple[int, Decimal], ...]]:
    """USD per million units, to the pico-dollar: some of the source were floats once (0.13999999999999999)."""
    if isinstance(price, types.TieredPrices):
        return rounded(price.base * factor), tuple((tier.start, rounded(tier.price * factor)) for tier in price.tiers)
    return rounded(price * factor), ()


def rounded(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("1e-12"))


def stated(rate: Rate) -> tuple[Decimal, tuple[tuple[int, Decimal], ...]]:
    """USD per million units, exactly."""
    return Decimal(rate.price).scaleb(-12), tuple((above, Decimal(price).scaleb(-12)) for above, price in rate.tiers)


def assert_same(sheet: PriceSheet, prices: types.ModelPrice) -> None:
    given_prices = {key: price for key, price in vars(prices).items() if price is not None}
    mapped = {
        DIMENSIONS[key][0]: expected(price, DIMENSIONS[key][1])
        for key, price in given_prices.items()
        if key in DIMENSIONS
    }
    assert {kind: stated(rate) for kind, rate in sheet.rates.items()} == mapped
    assert set(sheet.unmapped) == given_prices.keys() - DIMENSIONS.keys()


@given(
    st.sampled_from(MODELS),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 - the zone is added below
    st.sampled_from(["", "priority", "flex", "fast"]),
)
def test_every_price_is_that_of_genai_prices_at_every_time(row: tuple[str, str], moment: datetime, tier: str) -> None:
    provider, model = row
    moment = moment.replace(tzinfo=UTC)
    found = PROVIDERS[provider].find_model(model, all_providers=data.providers)
    sheet = price_base().sheet(provider, model, at=moment.timestamp(), service_tier=tier)
    if found is None or sheet is None:
        assert found is sheet is None
        return
    prices = found.get_prices(moment, {"service_tier": tier} if tier else None)
    if not any(vars(prices).values()) and (found.id.endswith(FREE_SUFFIX) or (provider, found.id) in STATED_FREE):
        assert sheet.rates.keys() == {"input", "output"}
        assert {rate.price for rate in sheet.rates.values()} == {0}
    else:
        assert_same(sheet, prices)
    assert all(rate.ref.startswith("genai-prices@") for rate in sheet.rates.values())


@given(
    st.sampled_from(MODELS),
    st.sampled_from(SUFFIXES),
    st.sampled_from([str.upper, str]),
    st.sampled_from(sorted(PROVIDERS)),
)
def test_every_name_finds_the_model_that_genai_prices_finds(
    row: tuple[str, str], suffix: str, cased: Callable[[str], str], elsewhere: str
) -> None:
    name = cased(row[1] + suffix)
    for provider in (row[0], elsewhere):
        found = PROVIDERS[provider].find_model(name, all_providers=data.providers)
        sheet = price_base().sheet(provider, name, at=0)
        assert (sheet.model if sheet else None) == (found.id if found else None)


def overlapping(usage: Usage) -> types.Usage:
    """Our disjoint counts as genai-prices counts: parts inside their wholes, and every part stated."""
    stated_counts = dict.fromkeys((key for key in unit_data if "tokens" in key), 0) | {
        "input_tokens": usage.input_total,
        "cache_read_tokens": usage.cache_read + usage.audio_cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "input_audio_tokens": usage.audio_input + usage.audio_cache_read,
        "cache_audio_read_tokens": usage.audio_cache_read,
        "input_image_tokens": usage.image_input,
        "output_tokens": usage.output_total,
        "output_reasoning_tokens": usage.reasoning,
        "output_audio_tokens": usage.audio_output,
        "output_image_tokens": usage.image_output,
        "output_citation_tokens": usage.citation,
        "web_searches": usage.web_searches,
    }
    return types.Usage(**stated_counts)


counts = st.sampled_from([0, 0, 1, 3, 1_000, 150_000, 300_000])


@settings(max_examples=300)
@given(
    st.sampled_from(MODELS),
    st.builds(Usage, **{kind: counts for kind in KINDS if kind not in {"images", "requests"}}),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - the zone is added below
)
def test_a_charge_is_what_genai_prices_calculates(row: tuple[str, str], usage: Usage, moment: datetime) -> None:
    provider, name = row
    moment = moment.replace(tzinfo=UTC)
    model = PROVIDERS[provider].find_model(name, all_providers=data.providers)
    sheet = price_base().sheet(provider, name, at=moment.timestamp())
    if model is None or sheet is None:
        return
    charge = rate(usage, sheet)
    if charge.priced:
        theirs = model.calc_price(overlapping(usage), PROVIDERS[provider], genai_request_timestamp=moment)
        assert abs(charge.total - theirs.total_price * 10**12) <= len(charge.lines)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd"),
    [
        ("anthropic", "claude-sonnet-4-5", Usage(cache_write_5m=10**6), "7.5"),
        ("anthropic", "claude-sonnet-4-5", Usage(cache_write_5m=10**5), "0.375"),
        ("anthropic", "claude-sonnet-4-5", Usage(cache_write_1h=10**5), "0.6"),
        ("anthropic", "claude-sonnet-4-5", Usage(web_searches=1), "0.01"),
        ("perplexity", "sonar", Usage(input=10**6), "1.012"),
        ("openai", "gpt-audio", Usage(audio_input=10**6), "32"),
    ],
)
def test_a_published_price_is_charged(provider: str, model: str, usage: Usage, usd: str) -> None:
    sheet = price_base().sheet(provider, model, at=datetime(2026, 11, 20, tzinfo=UTC).timestamp())
    assert sheet is not None
    charge = rate(usage, sheet)
    assert (usd_text(charge.total), charge.priced) == (usd, True)


def test_a_price_says_until_when_it_holds() -> None:
    """DeepSeek's prices change with the time of day."""
    base = price_base()
    at = datetime(2026, 11, 20, 2, tzinfo=UTC)
    peak = base.sheet("deepseek", "deepseek-v4-flash", at=at.timestamp())
    assert peak is not None
    assert peak.valid_until == (at + timedelta(hours=2)).timestamp()
    after = base.sheet("deepseek", "deepseek-v4-flash", at=peak.valid_until)
    assert after is not None
    assert after.rates["input"].price < peak.rates["input"].price


def test_every_dimension_of_the_source_is_either_mapped_or_listed_with_a_reason() -> None:
    models = [model for provider in data.providers for model in provider.models]
    prices = [each.prices for model in models if isinstance(model.prices, list) for each in model.prices]
    prices += [model.prices for model in models if isinstance(model.prices, types.ModelPrice)]
    prices += [variant.prices for model in models for variant in model.price_variants or ()]
    keys = {key for each in prices for key, price in vars(each).items() if price is not None}
    assert keys <= DIMENSIONS.keys() | UNMAPPED.keys()


def test_a_model_that_the_source_lists_without_a_price_is_not_free() -> None:
    sheet = price_base().sheet("cerebras", "qwen-3-coder-480b", at=0)
    assert sheet is not None
    assert sheet.rates == {}


def test_a_model_sold_in_units_we_do_not_count_names_them() -> None:
    sheet = price_base().sheet("x-ai", "grok-voice-latest", at=0)
    assert sheet is not None
    assert sheet.unmapped == ("input_text_messages_kcount",)


def test_sound_is_priced_by_the_second_and_speech_by_the_character() -> None:
    heard, spoken = (price_base().sheet("openai", model, at=0) for model in ("whisper-1", "tts-1"))
    assert heard is not None
    assert charge(60, heard.rates["audio_seconds"].price) == pico_from_usd(Decimal("0.006"))
    assert spoken is not None
    assert charge(1_000_000, spoken.rates["characters"].price) == pico_from_usd(Decimal(15))


def test_moderation_is_free_as_openai_states() -> None:
    sheet = price_base().sheet("openai", "omni-moderation-latest", at=0)
    assert sheet is not None
    assert {kind: rate.price for kind, rate in sheet.rates.items()} == {"input": 0, "output": 0}


def test_building_the_book_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert build().providers


def test_a_process_that_loads_the_book_does_not_import_genai_prices() -> None:
    code = (
        "import asyncio, sys; from tollway.services.price_base import load_price_base;"
        "print(asyncio.run(load_price_base()).version, 'genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [build().version, "False"]


def test_the_built_book_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asyncio.run(loading.load_price_base(tmp_path))
    (kept,) = tmp_path.iterdir()
    monkeypatch.setattr(loading, "BUILDER", "tollway.no_such_module")
    second = asyncio.run(loading.load_price_base(tmp_path))
    assert first.version == second.version == price_base().version
    assert msgspec.msgpack.decode(kept.read_bytes(), type=BaseBook) == build()


@pytest.mark.parametrize("content", [b"", b"not a book", msgspec.msgpack.encode({"version": 1})])
def test_a_damaged_or_outdated_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    asyncio.run(loading.load_price_base(tmp_path))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)
    (tmp_path / "price-base-0000000000000000.msgpack").write_bytes(b"of another version")
    assert asyncio.run(loading.load_price_base(tmp_path)).model_ids("openai")
    assert list(tmp_path.iterdir()) == [kept]
    assert len(kept.read_bytes()) > 100_000


def test_a_book_that_cannot_be_kept_is_still_used(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")
    assert asyncio.run(loading.load_price_base(occupied)).model_ids("openai")


def test_a_builder_that_fails_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BUILDER", "tollway.no_such_module")
    with pytest.raises(loading.PriceBaseUnavailableError, match="no_such_module"):
        asyncio.run(loading.load_price_base())


def test_a_builder_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BUILD_TIMEOUT_S", 0.01)
    with pytest.raises(loading.PriceBaseUnavailableError, match="took longer"):
        asyncio.run(loading.load_price_base())
