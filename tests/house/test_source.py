"""The project keeps its own rules."""

from pathlib import Path

from house_rules.check import findings, modules
from house_rules.exemptions import EXEMPTIONS
from house_rules.naming import PROVIDER_NAMES

from tollway.providers.registry import REGISTRY

ROOT = Path(__file__).parents[2]
EXEMPTIONS_MAX = 10
"""May only be lowered."""


def test_the_project_keeps_the_house_rules() -> None:
    assert [str(item) for item in findings(modules(ROOT))] == []


def test_the_list_of_exemptions_only_shrinks() -> None:
    assert len(EXEMPTIONS) <= EXEMPTIONS_MAX


def test_every_exemption_says_why() -> None:
    assert all(len(exemption.reason.split()) >= 4 for exemption in EXEMPTIONS)


def test_the_rule_on_provider_names_knows_every_provider_of_the_registry() -> None:
    kinds_not_names = {"local", "openai_compatible"}
    assert set(REGISTRY) - kinds_not_names <= PROVIDER_NAMES
