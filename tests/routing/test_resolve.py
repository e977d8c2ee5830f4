"""Which provider a name leads to, for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.errors import ModelNotAllowedError, ModelNotFoundError, ProviderSealedError, TollwayError
from tollway.identity.principal import Principal, Scope
from tollway.routing.catalog import Catalog, Deployment
from tollway.routing.resolve import is_allowed, resolve
from tollway.routing.route import Route, RouteTarget, direct


def deployment(name: str, **fields: object) -> Deployment:
    return Deployment(name, "openai_compatible", f"https://{name}.example/v1", "secret", name, **fields)  # type: ignore[arg-type]


CATALOG = Catalog(
    deployments={
        ("acme", "east"): deployment("east"),
        ("acme", "west"): deployment("west", models=("small", "a/b"), declared_only=True),
        ("other", "north"): deployment("north"),
    },
    aliases={
        ("web", "fast"): direct("east", "tiny"),
        ("web", "east/tiny"): direct("west", "small"),
        ("web", "gone"): direct("south", "x"),
        ("web", "both"): Route((RouteTarget("east", "tiny"), RouteTarget("south", "x"), RouteTarget("west", "small"))),
        ("app", "smart"): direct("east", "huge"),
    },
)


def principal(**fields: object) -> Principal:
    return Principal("key", "acme", "web", "name", frozenset({Scope.INFERENCE}), **fields)  # type: ignore[arg-type]


def reached(name: str, *, catalog: Catalog = CATALOG, **fields: object) -> list[tuple[str, str]]:
    _, candidates = resolve(name, principal(**fields), catalog)
    return [(candidate.deployment.name, candidate.target.model) for candidate in candidates]


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("east/x", "east", "x"),
        ("east/org/model:free", "east", "org/model:free"),
        ("fast", "east", "tiny"),
        ("east/tiny", "west", "small"),
        ("west/small", "west", "small"),
        ("west/a/b", "west", "a/b"),
    ],
)
def test_a_name_leads_to_a_provider_and_its_model(name: str, provider: str, model: str) -> None:
    assert reached(name) == [(provider, model)]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "east",
        "east/",
        "/x",
        "nowhere/x",
        "gone",
        "smart",
        "north/x",
        "west/other",
        "West/small",
        "FAST",
    ],
)
def test_what_is_not_there_and_what_is_another_s_are_told_alike(name: str) -> None:
    with pytest.raises(ModelNotFoundError):
        resolve(name, principal(), CATALOG)


@pytest.mark.parametrize("patterns", [("fast",), ("east/tiny",), ("east/*",), ("*",), ("x", "fast")])
def test_a_key_may_use_an_alias_that_is_listed_or_whose_target_is(patterns: tuple[str, ...]) -> None:
    assert reached("fast", allowed_models=patterns) == [("east", "tiny")]


def test_an_alias_leads_to_all_of_its_targets_that_are_there() -> None:
    assert reached("both") == [("east", "tiny"), ("west", "small")]


def test_a_key_that_may_use_an_alias_may_use_its_targets_and_else_only_those_that_are_listed() -> None:
    assert reached("both", allowed_models=("both",)) == [("east", "tiny"), ("west", "small")]
    assert reached("both", allowed_models=("west/*",)) == [("west", "small")]


def test_a_target_whose_credential_cannot_be_opened_leaves_the_others() -> None:
    deployments = {("acme", "east"): deployment("east", sealed=True), ("acme", "west"): deployment("west")}
    catalog = Catalog(deployments=deployments, aliases=CATALOG.aliases)
    assert reached("both", catalog=catalog) == [("west", "small")]


@pytest.mark.parametrize("patterns", [(), ("west/*",), ("east",), ("fas",), ("east/tin",)])
def test_a_key_may_use_nothing_else(patterns: tuple[str, ...]) -> None:
    with pytest.raises(ModelNotAllowedError):
        resolve("fast", principal(allowed_models=patterns), CATALOG)


def test_a_key_is_not_told_whether_what_it_may_not_use_exists_elsewhere() -> None:
    with pytest.raises(ModelNotFoundError):
        resolve("north/x", principal(allowed_models=("east/*",)), CATALOG)


def test_a_provider_whose_credential_cannot_be_opened_is_told_as_that_and_only_to_those_who_may_use_it() -> None:
    catalog = Catalog(deployments={("acme", "east"): deployment("east", sealed=True)})
    with pytest.raises(ProviderSealedError, match="'east'"):
        resolve("east/x", principal(), catalog)
    with pytest.raises(ModelNotAllowedError):
        resolve("east/x", principal(allowed_models=("west/*",)), catalog)


@given(st.text(max_size=600))
def test_any_name_is_resolved_or_refused_in_a_short_message(name: str) -> None:
    refusal = ""
    try:
        resolve(name, principal(allowed_models=("west/*",)), CATALOG)
    except TollwayError as error:
        refusal = error.message
    assert len(refusal) < 2_200


@given(st.lists(st.text(max_size=5)), st.text(max_size=5))
def test_a_listed_name_is_allowed_and_everything_is_without_a_list(patterns: list[str], name: str) -> None:
    assert is_allowed(None, name)
    assert is_allowed([*patterns, name], name)
    assert not is_allowed([], name)
