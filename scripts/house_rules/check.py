"""Run every rule over the tree."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from house_rules import layering, naming, writing
from house_rules.exemptions import EXEMPTIONS, Exemption
from house_rules.source import Finding, Module, Rule

RULES: tuple[Rule, ...] = (*layering.RULES, *naming.RULES, *writing.RULES)
FOLDERS = ("src", "tests", "bench", "scripts")


def modules(root: Path) -> list[Module]:
    """Every Python file of the project."""
    paths = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    return [Module.read(root, path) for path in paths if "node_modules" not in path.parts]


def findings(
    checked: Iterable[Module], rules: Iterable[Rule] = RULES, exemptions: Sequence[Exemption] = EXEMPTIONS
) -> list[Finding]:
    """What breaks a rule and is not exempt, and then the exemptions that nothing needs."""
    rules = tuple(rules)
    found = [item for module in checked for item in _of_module(module, rules)]
    broken = [item for item in found if not any(exemption.covers(item) for exemption in exemptions)]
    unneeded = [
        Finding("exemption-not-needed", exemption.path, 1, f"{exemption.rule}: {exemption.what}: delete the exemption")
        for exemption in exemptions
        if not any(exemption.covers(item) for item in found)
    ]
    return broken + unneeded


def _of_module(module: Module, rules: Sequence[Rule]) -> list[Finding]:
    try:
        return [item for rule in rules for item in rule(module)]
    except SyntaxError as error:
        return [Finding("syntax", module.path, error.lineno or 1, error.msg)]
