"""`tollway budgets`, `limits`, `audit` and `webhooks`, on a running gateway."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.command import Command


@pytest.fixture
def project(tollway: Command, organization: str) -> str:
    tollway.ok("projects", "create", "chatbot", "-o", organization)
    tollway.ok("keys", "create", "--name", "backend", "--project", "chatbot", "-o", organization)
    return "chatbot"


def run(tollway: Command, organization: str, *words: str) -> Any:
    return tollway.ok(*words, "-o", organization, "--json").json


def test_a_budget_lives_from_set_to_remove(tollway: Command, organization: str, project: str) -> None:
    words = ("--project", project, "--window", "day", "--limit-usd")
    made = run(tollway, organization, "budgets", "set", *words, "0.01")
    assert (made["limit_usd"], made["mode"], made["project"]) == ("0.01", "hard", project)
    budget = made["id"]
    assert run(tollway, organization, "budgets", "set", *words, "5", "--mode", "soft")["id"] == budget
    assert run(tollway, organization, "budgets", "pause", budget)["paused"] is True
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    raised = run(tollway, organization, "budgets", "raise", budget, "--limit-usd", "9", "--until", until)
    assert (raised["raised"]["limit_usd"], raised["left_usd"]) == ("9", "9")
    assert run(tollway, organization, "budgets", "raise", budget, "--end")["raised"] is None
    assert run(tollway, organization, "budgets", "reset", budget, "--yes")["settled_usd"] == "0"
    shown = tollway.ok("budgets", "list", "-o", organization).out
    assert "project chatbot" in shown
    assert budget in shown
    assert tollway.ok("budgets", "windows", budget, "-o", organization).err == "Nothing of it is used.\n"
    run(tollway, organization, "budgets", "remove", budget, "--yes")
    actions = [row["action"] for row in run(tollway, organization, "audit", "list")["data"]]
    assert actions[0] == "budget.removed"
    assert [action for action in actions if action.startswith("budget")][-1] == "budget.created"


def test_several_limits_are_set_at_once(tollway: Command, organization: str, project: str) -> None:
    words = ("--requests-per-minute", "60", "--tokens-per-day", "100000", "--parallel", "8", "--queue", "5")
    scope = ("--project", project, "--key", "backend", "--tag", "team=red", "--each", "user")
    made = run(tollway, organization, "limits", "set", *scope, *words)["data"]
    assert [(row["unit"], row["window"], row["limit"], row["queue_s"]) for row in made] == [
        ("requests", "minute", 60, 5),
        ("tokens", "day", 100_000, 5),
        ("parallel", None, 8, 5),
    ]
    changed = run(tollway, organization, "limits", "update", made[0]["id"], "--limit", "30", "--pause")
    assert (changed["limit"], changed["queue_s"], changed["paused"]) == (30, 5, True)
    told = "project chatbot, key backend, tag team=red, each user"
    assert told in tollway.ok("limits", "list", "-o", organization).out


def test_a_limit_is_raised_for_some_time_reset_and_removed(tollway: Command, organization: str, project: str) -> None:
    words = ("--project", project, "--tokens-per-day", "100")
    (made,) = run(tollway, organization, "limits", "set", *words)["data"]
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    raised = run(tollway, organization, "limits", "raise", made["id"], "--limit", "900", "--until", until)
    assert (raised["limit"], raised["raised"]["limit"], raised["left"]) == (100, 900, 900)
    assert "900" in tollway.ok("limits", "show", made["id"], "-o", organization).out
    assert run(tollway, organization, "limits", "raise", made["id"], "--end")["raised"] is None
    assert tollway("limits", "reset", made["id"], "-o", organization, stdin="n\n").code == 1
    assert run(tollway, organization, "limits", "reset", made["id"], "--yes")["used"] == 0
    run(tollway, organization, "limits", "remove", made["id"], "--yes")
    actions = [row["action"] for row in run(tollway, organization, "audit", "list")["data"]]
    assert [action for action in actions if action.startswith("limit")] == [
        "limit.removed", "limit.reset", "limit.changed", "limit.changed", "limit.created",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("limits", "set"),
        ("limits", "raise", "some"),
        ("limits", "raise", "some", "--limit", "5"),
        ("limits", "raise", "some", "--end", "--until", "2027-01-01"),
        ("budgets", "set", "--window", "day", "--limit-usd", "1", "--tag", "=red"),
        ("budgets", "raise", "some", "--limit-usd", "1"),
    ],
)
def test_wrong_words_are_told_before_a_server_is_asked(tollway: Command, words: tuple[str, ...]) -> None:
    assert tollway(*words).code == 2


def test_a_webhooks_secret_alone_is_on_stdout(tollway: Command, organization: str) -> None:
    made = tollway.ok("webhooks", "create", "alerts", "--to", "https://1.1.1.1/hook", "-o", organization)
    assert made.out.startswith("whsec_")
    assert "this once" in made.err
    assert tollway.ok("webhooks", "rotate", "alerts", "-o", organization).out != made.out
    changed = run(tollway, organization, "webhooks", "update", "alerts", "--event", "*", "--disable")
    assert (changed["events"], changed["enabled"]) == (["*"], False)
    assert run(tollway, organization, "webhooks", "deliveries", "alerts")["data"] == []


def test_workers_are_listed_and_a_living_one_is_not_given_up(tollway: Command) -> None:
    assert "data" in tollway.ok("workers", "list", "--json").json
    unknown = "00000000-0000-7000-8000-000000000000"
    assert tollway("workers", "release", unknown, "--yes").code == 1
