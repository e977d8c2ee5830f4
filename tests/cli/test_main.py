"""What holds for every command."""

from typing import Any

import pytest
from typer.core import TyperGroup

from support.command import Command
from tollway import __version__
from tollway.cli.lazy import LazyCommand
from tollway.cli.main import COMMANDS, build

PRINTS_NO_DATA = {"tollway serve"}


def leaves(command: Any, words: str) -> dict[str, Any]:
    """Every command that does something, by its words."""
    real = command.load() if isinstance(command, LazyCommand) else command
    if not isinstance(real, TyperGroup):
        return {words: real}
    found: dict[str, Any] = {}
    for name, below in real.commands.items():
        found |= leaves(below, f"{words} {name}")
    return found


LEAVES = leaves(build(), "tollway")


def options(command: Any) -> set[str]:
    return {name for param in command.params for name in param.opts}


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_says_what_it_does(words: str) -> None:
    assert LEAVES[words].help.strip().split("\n")[0].endswith(".")


@pytest.mark.parametrize("words", LEAVES)
def test_every_option_says_what_it_means(words: str) -> None:
    assert [param.name for param in LEAVES[words].params if not (param.help or "").strip()] == []


@pytest.mark.parametrize("words", sorted(LEAVES.keys() - PRINTS_NO_DATA))
def test_every_command_that_prints_data_can_print_json(words: str) -> None:
    assert "--json" in options(LEAVES[words])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_what_its_help_begins_with(name: str) -> None:
    real = build().commands[name].load()  # type: ignore[attr-defined]
    assert real.help.startswith(COMMANDS[name][1].rstrip("."))


def test_serve_takes_the_settings_that_scripts_rely_on() -> None:
    assert {"--host", "--port", "--workers", "--data-dir", "--database-url"} <= options(LEAVES["tollway serve"])


def test_version_is_printed_for_people_and_for_programs(alone: Command) -> None:
    assert alone.ok("version").out == f"tollway {__version__}\n"
    assert alone.ok("version", "--json").json["version"] == __version__


def test_help_lists_every_command_without_loading_any(alone: Command) -> None:
    shown = alone.ok("--help").out
    assert [name for name in COMMANDS if name not in shown] == []


def test_a_misspelt_command_is_wrong_usage_and_gets_a_suggestion(alone: Command) -> None:
    done = alone("projets", "list")
    assert (done.code, done.out) == (2, "")
    assert "projects" in done.err


def test_a_missing_option_is_wrong_usage(alone: Command) -> None:
    done = alone("keys", "create")
    assert (done.code, done.out) == (2, "")
    assert "--name" in done.err


@pytest.mark.parametrize(
    "words", [("projects", "list"), ("usage",), ("ledger", "list"), ("chat", "hello"), ("apply", "-f", "-")]
)
def test_without_a_server_every_client_command_says_so_and_exits_3(alone: Command, words: tuple[str, ...]) -> None:
    done = alone(*words, "--json")
    assert (done.code, done.out) == (3, "")
    assert "No Tollway answers at http://127.0.0.1:1" in done.err
    assert "`tollway serve`" in done.err
