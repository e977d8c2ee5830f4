"""Every link from a page of the project to another file of it leads somewhere."""

import re
from pathlib import Path

import pytest
from reference_pages.pages import ROOT, pages

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)|(?:src|href)=\"(?P<attribute>[^\"]+)\"")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """The anchors GitHub makes of the headings: lower case, blanks to hyphens, no punctuation."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _broken(page: Path) -> list[str]:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for match in _LINK.finditer(text):
        link = match["target"] or match["attribute"]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in pages()])
def test_links_lead_somewhere(page: str) -> None:
    assert _broken(ROOT / page) == []


def test_every_page_is_reachable_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    seen, waiting = set[Path](), [index]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        links = (match["target"] or match["attribute"] for match in _LINK.finditer(page.read_text(encoding="utf-8")))
        waiting.extend((page.parent / link.partition("#")[0]).resolve() for link in links)
    assert [page.name for page in (ROOT / "docs").rglob("*.md") if page.resolve() not in seen] == []
