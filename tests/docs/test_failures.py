"""The page on failures names tests that exist, and every error of a fault with its status."""

import re
from pathlib import Path

import pytest
from reference_pages.pages import ROOT
from reference_pages.tables import error_classes

_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "operator" / "failures.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("| fault", "|---"))
]
_CODES = {error.code: error.status for error in error_classes()}
_UNAVAILABLE = 500
_NOT_A_FAULT = {"internal_error", "schema_mismatch", "not_in_cache"}
"""A defect, an upgrade that was not finished, and what a caller asked for: they have pages of their own."""


def _tests() -> set[str]:
    files = (path.read_text(encoding="utf-8") for path in Path(ROOT / "tests").rglob("test_*.py"))
    return {name for text in files for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("row", _ROWS, ids=[row[0] for row in _ROWS])
def test_every_fault_names_tests_that_exist(row: list[str]) -> None:
    named = re.findall(r"`(test_\w+)`", row[-1])
    assert named
    assert set(named) <= _tests()


@pytest.mark.parametrize("row", _ROWS, ids=[row[0] for row in _ROWS])
def test_every_code_has_the_status_that_stands_before_it(row: list[str]) -> None:
    for status, code in re.findall(r"(\d{3}) `(\w+)`", " ".join(row)):
        assert _CODES.get(code) == int(status), code


def test_every_error_of_a_fault_is_on_the_page() -> None:
    told = {code for row in _ROWS for code in re.findall(r"`(\w+)`", " ".join(row))}
    assert {code for code, status in _CODES.items() if status >= _UNAVAILABLE} - _NOT_A_FAULT <= told
