"""Which requests a quota counts, in whose window, and how much it allows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.ledger.quota import EACH, Facts, Mode, Period, Quota, Unit
from tollway.ledger.quota_book import QuotaBook

FACTS = Facts(
    organization_id="org",
    project_id="project",
    key_id="key",
    user_tag="ada",
    tags=(("env", "prod"), ("team", "search")),
    provider="openai",
    model="gpt-4o-mini",
    model_asked="fast",
)


def quota(*, id: str = "q", organization_id: str = "org", **scope: object) -> Quota:  # noqa: A002 - the field's name
    return Quota(id, organization_id, Unit.USD, Period.DAY, 100, **scope)  # type: ignore[arg-type]


def applies(quota: Quota, facts: Facts) -> bool:
    return quota.applies_to_route(facts) and quota.applies_to_caller(facts)


def one_of(*values: str | None) -> st.SearchStrategy[str | None]:
    return st.sampled_from((None, *values))


organizations = st.sampled_from(["org", "org-2"])
projects = st.sampled_from(["project", "project-2"])
keys = st.sampled_from(["key", "key-2"])
names = st.sampled_from(["a", "b"])
facts = st.builds(
    Facts,
    organization_id=organizations,
    project_id=projects,
    key_id=keys,
    user_tag=st.sampled_from(["", "a", "b"]),
    tags=st.dictionaries(names, names).map(lambda tags: tuple(sorted(tags.items()))),
    provider=names,
    model=names,
    model_asked=st.sampled_from(["a/a", "alias"]),
)
quotas = st.builds(
    Quota,
    id=st.uuids().map(str),
    organization_id=organizations,
    unit=st.just(Unit.USD),
    period=st.just(Period.DAY),
    amount=st.just(1),
    project_id=st.none() | projects,
    key_id=st.none() | keys,
    user_tag=one_of("a", "b"),
    tag_name=one_of("a", "b"),
    tag_value=one_of("a", "b"),
    provider=one_of("a", "b"),
    model=one_of("a/a", "a/*", "b/b", "alias"),
    each=st.sets(st.sampled_from(EACH)).map(lambda each: tuple(name for name in EACH if name in each)),
)


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"project_id": "project"},
        {"project_id": "project", "key_id": "key", "provider": "openai", "model": "fast"},
        {"user_tag": "ada"},
        {"tag_name": "team"},
        {"tag_name": "team", "tag_value": "search", "each": ("tag",)},
        {"model": "openai/gpt-4o-mini"},
        {"model": "openai/*"},
        {"each": EACH[:3] + EACH[4:]},
    ],
)
def test_a_quota_applies_where_all_its_dimensions_fit(scope: dict[str, object]) -> None:
    assert applies(quota(**scope), FACTS)


@pytest.mark.parametrize(
    "scope",
    [
        {"organization_id": "other"},
        {"project_id": "other"},
        {"project_id": "project", "key_id": "other"},
        {"user_tag": "bob"},
        {"user_tag": "ada", "provider": "local"},
        {"tag_name": "region"},
        {"tag_name": "team", "tag_value": "prod"},
        {"model": "gpt-4o-mini"},
        {"model": "local/*"},
        {"model": "openai/gpt-4o"},
        {"tag_name": "region", "each": ("tag",)},
        {"each": ("tag",)},
    ],
)
def test_a_quota_does_not_apply_where_one_dimension_differs(scope: dict[str, object]) -> None:
    assert not applies(quota(**scope), FACTS)


def test_a_quota_for_each_user_does_not_apply_to_a_request_that_names_none() -> None:
    assert not applies(quota(each=("user",)), replace(FACTS, user_tag=""))


def test_the_subject_names_the_value_of_each_dimension_and_is_empty_where_there_is_one_window_for_all() -> None:
    assert quota().subject(FACTS) == ""
    assert quota(tag_name="team", each=EACH).subject(FACTS) == (
        '["project","key","ada","search","openai","openai/gpt-4o-mini"]'
    )


@given(st.text(), st.text())
def test_different_values_have_different_subjects_whatever_they_hold(one: str, other: str) -> None:
    users = quota(each=("user", "model"))
    subjects = [users.subject(replace(FACTS, user_tag=value)) for value in (one, other)]
    assert (subjects[0] == subjects[1]) == (one == other)
    assert all(subject.isascii() and "\0" not in subject for subject in subjects)
    if len(one) < 40:
        assert json.loads(subjects[0])[0] == one


@pytest.mark.parametrize("character", ["x", "\0", "\ud83d", "\U0001f600"])
def test_a_subject_fits_an_index_of_postgresql_however_long_its_values_are(character: str) -> None:
    long = character * 600
    asked = replace(FACTS, user_tag=long, tags=(("team", long),), provider=long, model=long)
    everything = quota(tag_name="team", each=EACH)
    assert len(everything.subject(asked)) < 2_500
    assert everything.subject(asked) != everything.subject(replace(asked, user_tag=long + character))


def test_a_raise_holds_until_it_ends_and_may_lower() -> None:
    raised = quota(raised_amount=250, raised_until=1_000.5)
    assert [raised.amount_at(now_s) for now_s in (0, 1_000.4, 1_000.5, 2_000)] == [250, 250, 100, 100]
    assert quota().amount_at(0) == 100


def test_a_soft_quota_and_a_paused_one_refuse_nothing() -> None:
    assert quota().binds
    assert not quota(mode=Mode.SOFT).binds
    assert not quota(paused=True).binds


@given(st.lists(quotas, max_size=30), st.lists(facts, min_size=1, max_size=10))
def test_the_book_finds_exactly_the_quotas_that_apply_however_often_it_is_asked(
    those: list[Quota], asked: list[Facts]
) -> None:
    book = QuotaBook(those)
    for request in asked * 2:
        found = book.applying(request)
        assert sorted(each.id for each in found) == sorted(each.id for each in those if applies(each, request))
        assert book.applying(request) == found
    assert set(book.quotas.values()) == set(those)


def test_the_book_forgets_old_routes_rather_than_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tollway.ledger.quota_book.CACHE_ENTRIES", 3)
    book = QuotaBook([quota()])
    for number in range(10):
        assert book.applying(replace(FACTS, model=str(number)))
    assert len(book._routes) == 3


def test_no_spelling_of_a_model_escapes_its_budget_or_gets_another_one() -> None:
    shouted = replace(FACTS, model="GPT-4o-Mini ", model_asked="Fast")
    for model in ("openai/gpt-4o-mini", "OpenAI/GPT-4o-mini", "openai/*", "fast"):
        assert applies(quota(model=model), shouted)
    each = quota(each=("model",))
    assert each.subject(shouted) == each.subject(FACTS) == '["openai/gpt-4o-mini"]'
