"""What the pages say of settings, errors, metrics and providers is what the code has."""

import pytest
from reference_pages.pages import PARTS, ROOT, pages, parts_of, written
from reference_pages.tables import error_classes

from tollway.api.inference.surfaces import SURFACES
from tollway.cli.main import COMMANDS
from tollway.config import CLIENT_VARIABLES, variables

DOCS = ROOT / "docs"


def test_the_written_parts_of_all_pages_are_current() -> None:
    stale = [page.name for page in pages() if written(text := page.read_text(encoding="utf-8")) != text]
    assert not stale, "run `make docs`"


@pytest.mark.parametrize("part", PARTS)
def test_every_written_part_stands_on_exactly_one_page(part: str) -> None:
    assert [part for page in pages() for name in parts_of(page.read_text(encoding="utf-8")) if name == part] == [part]


@pytest.mark.parametrize("variable", sorted({*variables(), *CLIENT_VARIABLES}))
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in (DOCS / "operator" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(variables()))
def test_every_setting_says_what_it_means(name: str) -> None:
    section, field = variables()[name]
    assert len((section.model_fields[field].description or "").split()) >= 3


@pytest.mark.parametrize("code", sorted({error.code for error in error_classes()}))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"| `{code}` |" in (DOCS / "user" / "errors.md").read_text(encoding="utf-8")


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in error_classes()]
    assert sorted(set(codes)) == sorted(codes)


def test_every_decision_is_listed() -> None:
    listed = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (DOCS / "adr").glob("[0-9]*.md") if f"({page.name})" not in listed] == []


@pytest.mark.parametrize("path", sorted({*SURFACES, "/v1/models"}))
def test_every_surface_is_documented(path: str) -> None:
    assert f" {path}`" in (DOCS / "user" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_documented(command: str) -> None:
    assert f"tollway {command}" in (DOCS / "operator" / "cli.md").read_text(encoding="utf-8")
