"""`tollway aliases` and `tollway providers`, on a running gateway."""

import pytest

from support.command import Command

VENDOR_KEY = "sk-of-the-vendor-1234567890"
DOCUMENT = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN\\nabc"\n}\n'


@pytest.fixture
def project(tollway: Command, organization: str) -> tuple[str, ...]:
    """Options that name a project of an organization with two providers."""
    at = ("-o", organization)
    tollway.ok("projects", "create", "web", *at)
    for name in ("groq", "mistral"):
        tollway.ok("providers", "add", name, "--api-key-env", "VENDOR", *at, VENDOR=VENDOR_KEY)
    return ("--project", "web", *at)


def test_several_targets_with_options_make_a_route_which_is_shown(tollway: Command, project: tuple[str, ...]) -> None:
    words = ("--strategy", "weighted", "--weight", "groq/llama=3", "--sticky", "user", "--retry-attempts", "4")
    parts = ("--canary", "mistral/new=5", "--shadow", "mistral/other=1.5", "--timeout", "20")
    made = tollway.ok("aliases", "set", "fast", "groq/llama", "mistral/small", *words, *parts, *project, "--json").json
    route = made["route"]
    assert [(target["model"], target["weight"]) for target in route["targets"]] == [
        ("llama", 3),
        ("small", 1),
        ("new", 1),
        ("other", 1),
    ]
    assert (route["strategy"], route["sticky"], route["retry"]["attempts"]) == ("weighted", "user", 4)
    assert route["shadow"] == {"target": "mistral/other", "percent": 1.5}
    shown = tollway.ok("aliases", "show", "fast", *project).out
    assert "groq/llama (weight 3), mistral/small" in shown
    assert "target mistral/new, percent 5" in shown
    assert "weighted" in tollway.ok("aliases", "list", *project).out
    plain = tollway.ok("aliases", "set", "fast", "groq/llama", *project, "--json").json
    assert plain["route"] is None


def test_a_route_comes_from_a_file_or_from_options(tollway: Command, project: tuple[str, ...]) -> None:
    file = tollway.folder / "route.yaml"
    file.write_text("strategy: least_cost\ntargets: [groq/llama, {target: mistral/small, priority: 2}]\n")
    made = tollway.ok("aliases", "set", "fast", "--file", str(file), *project, "--json").json
    assert (made["route"]["strategy"], made["route"]["targets"][1]["priority"]) == ("least_cost", 2)
    both = tollway("aliases", "set", "fast", "groq/llama", "--file", str(file), *project)
    assert (both.code, "not both" in both.err) == (2, True)
    none = tollway("aliases", "set", "fast", *project)
    assert (none.code, "Give a target" in none.err) == (2, True)
    unknown = tollway("aliases", "set", "fast", "groq/llama", "nobody/x", *project)
    assert (unknown.code, "route.targets[1].provider" in unknown.err) == (1, True)


def test_a_provider_has_several_credentials_which_are_never_shown(tollway: Command, project: tuple[str, ...]) -> None:
    at = project[2:]
    (tollway.folder / "key.json").write_text(DOCUMENT)
    second = ("--name", "second", "--api-key-file", "key.json")
    made = tollway.ok("providers", "credentials", "add", "groq", *second, *at)
    tollway.ok("providers", "credentials", "add", "groq", "--name", "third", "--api-key-env", "K", *at, K=VENDOR_KEY)
    rotated = tollway.ok("providers", "credentials", "rotate", "groq", *second, *at)
    listed = tollway.ok("providers", "credentials", "list", "groq", *at)
    assert "private_key" not in made.out + rotated.out + listed.out
    assert VENDOR_KEY not in listed.out
    tollway.ok("providers", "credentials", "remove", "groq", "--name", "second", "--yes", *at)
    left = tollway.ok("providers", "credentials", "list", "groq", *at, "--json").json["data"]
    assert [(row["name"], row["credential_suffix"]) for row in left] == [("third", VENDOR_KEY[-4:])]


def test_an_option_that_a_provider_does_not_take_is_told(tollway: Command, project: tuple[str, ...]) -> None:
    told = tollway("providers", "update", "groq", "--option", "region=eu-1", *project[2:])
    assert (told.code, "takes no option 'region'" in told.err) == (1, True)
    assert tollway("providers", "update", "groq", "--option", "region", *project[2:]).code == 2


def test_a_project_is_told_what_to_store_drop_and_cache(tollway: Command, project: tuple[str, ...]) -> None:
    options = ("--store-content", "metadata", "--retention-days", "7", "--cache-ttl", "60", "--single-flight")
    tollway.ok("projects", "update", "web", *options, "--drop-unsupported", *project[2:])
    shown = tollway.ok("projects", "show", "web", *project[2:], "--json").json
    assert (shown["store_content"], shown["retention_days"], shown["cache_ttl_s"]) == ("metadata", 7, 60)
    assert (shown["cache_single_flight"], shown["drop_unsupported"]) == (True, True)
