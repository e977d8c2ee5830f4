"""The commands of the control plane, on a running gateway."""

import json
from pathlib import Path

import httpx
import pytest

from support.command import Command
from support.gateway import Gateway, new_mark


def test_a_key_that_was_created_works_and_is_printed_as_json(tollway: Command, gateway: Gateway) -> None:
    project, name = new_mark(), new_mark()
    tollway.ok("projects", "create", project)
    made = tollway.ok("keys", "create", "--project", project, "--name", name, "--json").json
    assert (
        gateway.post("/v1/chat/completions", {"model": "stub/plain", "messages": []}, key=made["key"]).status_code
        == 200
    )
    shown = tollway.ok("keys", "list", "--project", project, "--json")
    assert [row["name"] for row in shown.json["data"]] == [name]
    assert made["key"] not in shown.out


def test_without_a_project_the_project_default_is_meant(tollway: Command) -> None:
    name = new_mark()
    assert tollway.ok("keys", "create", "--name", name, "--json").json["project"] == "default"
    assert name in tollway.ok("keys", "list", "--project", "default").out


def test_for_people_a_new_key_is_alone_on_stdout(tollway: Command) -> None:
    done = tollway.ok("keys", "create", "--name", new_mark())
    assert done.out.startswith("tw-")
    assert done.out.count("\n") == 1


def test_nothing_is_undone_without_an_answer(tollway: Command) -> None:
    name = new_mark()
    tollway.ok("keys", "create", "--name", name)
    for answer in ("", "n\n"):
        done = tollway("keys", "revoke", name, stdin=answer)
        assert done.code == 1
        assert "Error [not_confirmed]: Nothing was changed." in done.err
    assert tollway.ok("keys", "show", name, "--json").json["revoked_at"] is None


def test_a_revoked_key_is_refused(tollway: Command, gateway: Gateway) -> None:
    name = new_mark()
    key = tollway.ok("keys", "create", "--name", name, "--json").json["key"]
    assert tollway.ok("keys", "revoke", name, "--project", "default", "--yes", "--json").json["revoked_at"]
    assert tollway("projects", "list", TOLLWAY_API_KEY=key).code == 1
    assert httpx.get(f"{gateway.url}/v1/models", headers=gateway.headers(key)).status_code == 401


def test_what_cannot_be_undone_is_not_done_unasked(tollway: Command) -> None:
    name = new_mark()
    tollway.ok("projects", "create", name)
    assert tollway("projects", "archive", name, stdin="n\n").code == 1
    assert tollway("projects", "archive", name).code == 1
    assert tollway.ok("projects", "show", name, "--json").json["archived_at"] is None
    assert tollway.ok("projects", "archive", name, stdin="y\n").out


def test_a_provider_is_added_with_a_key_of_the_environment(tollway: Command) -> None:
    name, secret = new_mark(), "sk-of-a-vendor-1234567890"
    words = ("providers", "add", name, "--dialect", "openai", "--base-url", "https://api.vendor.example/v1")
    made = tollway.ok(*words, "--api-key-env", "VENDOR_KEY", "--json", VENDOR_KEY=secret)
    assert made.json["has_credential"] is True
    assert secret not in made.out + made.err
    assert made.json["base_url"] == "https://api.vendor.example/v1"
    assert tollway.ok("providers", "remove", name, "--yes", "--json").json == {"removed": name}


def test_a_provider_may_have_no_key(tollway: Command, gateway: Gateway) -> None:
    name = new_mark()
    made = tollway.ok("providers", "add", name, "--dialect", "openai", "--base-url", gateway.url, "--json")
    assert made.json["has_credential"] is False


def test_a_variable_that_is_not_set_is_told_and_nothing_is_added(tollway: Command) -> None:
    name = new_mark()
    done = tollway("providers", "add", name, "--base-url", "https://x.example/v1", "--api-key-env", "NOT_SET")
    assert (done.code, done.out) == (2, "")
    assert "NOT_SET is not set" in done.err
    assert tollway("providers", "show", name).code == 1


def test_a_provider_key_may_come_from_stdin(tollway: Command) -> None:
    name = new_mark()
    words = ("providers", "add", name, "--base-url", "https://x.example/v1", "--api-key-file", "-", "--json")
    assert tollway.ok(*words, stdin="sk-from-a-pipe-123456\n").json["credential_suffix"] == "3456"


def test_a_price_that_was_set_is_the_price(tollway: Command, gateway: Gateway) -> None:
    model = f"unpriced/{new_mark()}"
    words = ("prices", "set", model, "--input", "2.50", "--output", "10", "--per-request", "0.01")
    made = tollway.ok(*words, "--cache-read", "0.5", "--tier", "input:200000=5", "--source", "contract", "--json").json
    rates = {
        kind: rate["usd_per_million"]
        for kind, rate in tollway.ok("prices", "show", model, "--json").json["rates"].items()
    }
    assert rates == {"input": "2.5", "output": "10", "cache_read": "0.5", "requests": "10000"}
    assert made["tiers"] == {"input": [{"above": 200_000, "usd_per_million": "5"}]}
    assert gateway.post("/v1/chat/completions", {"model": model, "messages": []}).status_code == 200
    assert model in tollway.ok("prices", "overrides").out
    tollway.ok("prices", "remove", made["id"], "--yes")
    assert tollway("prices", "show", model).code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("x/y",),
        ("no-slash", "--input", "1"),
        ("x/y", "--input", "cheap"),
        ("x/y", "--input", "-1"),
        ("x/y", "--input", "NaN"),
        ("x/y", "--rate", "input"),
        ("x/y", "--tier", "input=1"),
    ],
)
def test_a_price_that_is_none_is_wrong_usage(alone: Command, words: tuple[str, ...]) -> None:
    assert alone("prices", "set", *words, TOLLWAY_API_KEY="tw-x").code == 2


def test_an_alias_is_set_changed_and_removed(tollway: Command) -> None:
    name = new_mark()
    assert tollway.ok("aliases", "set", name, "stub/plain", "--json").json["target"] == "stub/plain"
    assert tollway.ok("aliases", "set", name, "stub/gpt", "--json").json["target"] == "stub/gpt"
    assert tollway.ok("chat", "-m", name, "hello", "--json").json["answer"]
    tollway.ok("aliases", "remove", name)
    assert tollway("aliases", "show", name).code == 1


def test_a_model_is_declared_and_taken_back(tollway: Command) -> None:
    model = f"unpriced/{new_mark()}"
    assert tollway.ok("models", "add", model, "--json").json["name"] == model
    assert model in tollway.ok("models", "list", "--provider", "unpriced").out
    tollway.ok("models", "remove", model)
    assert model not in tollway.ok("models", "list", "--provider", "unpriced").out


def test_another_organization_can_be_administered_by_name(tollway: Command, organization: str) -> None:
    tollway.ok("projects", "create", "only-there", "--organization", organization)
    assert "only-there" in tollway.ok("projects", "list", "-o", organization).out
    assert "only-there" not in tollway.ok("projects", "list").out


def test_a_list_longer_than_a_page_is_whole(tollway: Command, gateway: Gateway, organization: str) -> None:
    names = {f"p{number}" for number in range(205)}
    for name in names:
        gateway.admin("POST", f"/projects?organization={organization}", {"name": name})
    shown = tollway.ok("projects", "list", "-o", organization, "--json").json["data"]
    assert {row["name"] for row in shown} == names
    assert len(shown) == len(names)


def test_a_refusal_has_code_cause_next_step_and_request_id(tollway: Command) -> None:
    done = tollway("projects", "show", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error [not_found]: ")
    assert "Next step: " in done.err
    assert "Request id: " in done.err


def test_values_at_fault_are_named(tollway: Command) -> None:
    done = tollway("projects", "create", "Not A Name")
    assert done.code == 1
    assert "body.name" in done.err


def test_a_wrong_key_is_told_as_such_and_not_shown(tollway: Command) -> None:
    done = tollway("projects", "list", TOLLWAY_API_KEY="tw-of-nobody")
    assert done.code == 1
    assert "Error [invalid_api_key]" in done.err
    assert "TOLLWAY_API_KEY" in done.err
    assert "tw-of-nobody" not in done.err


def test_without_a_key_it_says_where_one_is_looked_for(gateway: Gateway, tmp_path: Path) -> None:
    done = Command({"TOLLWAY_URL": gateway.url, "TOLLWAY_DATA_DIR": str(tmp_path)}, tmp_path)("keys", "list")
    assert done.code == 1
    assert "TOLLWAY_API_KEY" in done.err


def test_something_else_that_answers_is_not_taken_for_tollway(
    tollway: Command, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "first_keys.json").write_text(json.dumps({"admin_key": "tw-x", "url": f"{gateway.url}/elsewhere"}))
    done = tollway("keys", "list", "--data-dir", str(tmp_path))
    assert done.code == 1
    assert "Error [" in done.err
