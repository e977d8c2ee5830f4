"""The lists behind the house rules. That the project keeps them is seen by `make lint`."""

from house_rules.exemptions import EXEMPTIONS
from house_rules.naming import PROVIDER_NAMES

from tollway.providers.registry import REGISTRY

EXEMPTIONS_MAX = 10
"""May only be lowered."""


def test_the_list_of_exemptions_only_shrinks() -> None:
    assert len(EXEMPTIONS) <= EXEMPTIONS_MAX


def test_every_exemption_says_why() -> None:
    assert all(len(exemption.reason.split()) >= 4 for exemption in EXEMPTIONS)


def test_the_rule_on_provider_names_knows_every_provider_of_the_registry() -> None:
    kinds_not_names = {"local", "openai_compatible"}
    assert set(REGISTRY) - kinds_not_names <= PROVIDER_NAMES
