"""What a request is charged to: the windows of its budgets, told apart by what nobody counted costs them."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.ledger.quota import Period, Quota, Unit, WindowRef
from tollway.ledger.settlement import charges, unpacked

QUOTAS = st.builds(Quota, st.uuids().map(str), st.just("o"), st.sampled_from(Unit), st.just(Period.DAY), st.just(1))
PARTS = st.lists(st.tuples(QUOTAS, st.booleans(), st.text(max_size=20), st.integers(0, 2**63 - 1)), max_size=8)


@given(PARTS, st.booleans())
def test_each_budget_is_charged_once_and_as_strictly_as_it_asks_for(
    parts: list[tuple[Quota, bool, str, int]],
    leased: bool,  # noqa: FBT001
) -> None:
    asked = []
    for quota, strict, subject, start_us in parts:
        asked.append((replace(quota, strict=strict), WindowRef(quota.id, 0, subject, start_us)))
    found = [
        (ref, each.strict, each.leased) for each in charges(asked, leased=leased) for ref in unpacked(each.windows)
    ]
    expected = [(ref, quota.strict, leased) for quota, ref in asked if quota.unit is Unit.USD]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
