"""The routes on the page about routing are routes, and what it says of failures is so."""

import re

import yaml
from reference_pages.pages import ROOT

from tollway.cli.declaration import Declaration
from tollway.routing.failure import FailureKind
from tollway.routing.route import FALLEN_BACK_ON, RETRIED, Strategy

_PAGE = (ROOT / "docs" / "operator" / "routing.md").read_text(encoding="utf-8")
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_example_declares_routes_with_canary_and_shadow_among_their_targets() -> None:
    (block,) = _YAML.findall(_PAGE)
    (project,) = Declaration.model_validate(yaml.safe_load(block)).projects or ()
    assert project.aliases is not None
    smart = project.aliases["smart"].wanted
    assert project.aliases["fast"].wanted.is_plain
    assert [target.name for target in smart.targets][2:] == ["openai/gpt-5", "vertex/gemini-2.5-pro"]


def test_every_strategy_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)`", _PAGE, re.MULTILINE)) == set(Strategy)


def test_every_failure_that_can_be_chosen_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", _PAGE))
    assert {kind.value for kind in FailureKind} - named == {"invalid"}
    assert set(RETRIED) | set(FALLEN_BACK_ON) == set(FailureKind) - {FailureKind.INVALID}
