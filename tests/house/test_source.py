"""The project keeps its own rules."""

from pathlib import Path

from house_rules.check import findings, modules
from house_rules.exemptions import EXEMPTIONS

ROOT = Path(__file__).parents[2]
EXEMPTIONS_MAX = 0
"""May only be lowered."""


def test_the_project_keeps_the_house_rules() -> None:
    assert [str(item) for item in findings(modules(ROOT))] == []


def test_the_list_of_exemptions_only_shrinks() -> None:
    assert len(EXEMPTIONS) <= EXEMPTIONS_MAX


def test_every_exemption_says_why() -> None:
    assert all(len(exemption.reason.split()) >= 4 for exemption in EXEMPTIONS)
