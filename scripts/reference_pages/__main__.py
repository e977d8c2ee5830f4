"""Write the marked parts of all pages: ``PYTHONPATH=scripts python -m reference_pages``."""

import sys

from reference_pages.pages import ROOT, pages, written

if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = written(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")
