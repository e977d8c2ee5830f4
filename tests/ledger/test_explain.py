import msgspec

from support.entries import an_entry
from tollway.ledger.entry import Outcome, UsageSource
from tollway.ledger.explain import explain


def test_a_sound_charge_is_shown_line_by_line() -> None:
    explanation = explain(an_entry())
    assert explanation.agrees
    assert [line.arithmetic for line in explanation.lines] == [
        "1,000 x 0.15 USD / 1,000,000 = 0.00015 USD",
        "200 x 0.15 USD / 1,000,000 = 0.00003 USD",
    ]
    assert explanation.charge_usd == explanation.recomputed_usd == "0.00018"
    assert explanation.remarks == ()


def test_a_wrong_line_is_told_even_if_the_sum_is_right() -> None:
    entry = an_entry()
    first, second = entry.lines
    moved = (
        msgspec.structs.replace(first, amount=first.amount + 1),
        msgspec.structs.replace(second, amount=second.amount - 1),
    )
    explanation = explain(msgspec.structs.replace(entry, lines=moved))
    assert explanation.recomputed_usd == explanation.charge_usd
    assert not explanation.agrees
    assert [line.agrees for line in explanation.lines] == [False, False]


def test_what_one_must_know_to_read_the_figures_is_said() -> None:
    entry = an_entry(
        outcome=Outcome.INTERRUPTED, usage_source=UsageSource.ESTIMATED, priced=False, provider_cost=2_000_000
    )
    remarks = " ".join(explain(entry).remarks)
    for word in ("estimated", "died", "no price", "0.000002 USD"):
        assert word in remarks
    assert "Nothing was used" in explain(an_entry(usage_source=UsageSource.NONE)).remarks[0]
