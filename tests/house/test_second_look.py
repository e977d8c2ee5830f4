"""What failed in a run of the suite is looked at again, and hides nothing that is broken."""

import subprocess
import sys
from pathlib import Path

import pytest
import second_look


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of its own, in which the script is run as `make test` runs it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they would take most of the time
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.chdir(tmp_path)


def suite(*runs_that_fail: set[int]) -> int:
    """Run a suite with one test for each set, that fails in the runs the set names; then look again."""
    Path("test_it.py").write_text(
        "import pytest\nfrom pathlib import Path\n"
        f"@pytest.mark.parametrize(('number', 'fails'), list(enumerate({list(runs_that_fail)!r})))\n"
        "def test_it(number, fails):\n"
        "    runs = Path(f'{number}.runs')\n"
        "    run = len(runs.read_text()) if runs.exists() else 0\n"
        "    runs.write_text('.' * (run + 1))\n"
        "    assert run not in fails\n"
    )
    assert subprocess.run([sys.executable, "-m", "pytest", "-q"], check=False).returncode == 1
    return subprocess.run([sys.executable, second_look.__file__], check=False).returncode


def test_an_accident_does_not_end_the_run_and_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert suite({0}, set()) == 0
    assert Path("1.runs").read_text() == ".", "what passed was run again"
    assert capfd.readouterr().out.rstrip().endswith("and must be mended:\n  test_it.py::test_it[0-fails0]")


@pytest.mark.parametrize("again", range(1, 4))
def test_what_fails_in_any_of_three_more_runs_fails(again: int) -> None:
    assert suite({0, again}) == 1


def test_many_failures_are_no_accident() -> None:
    assert suite({0}, {0}, {0}, {0}) == 1
    assert Path("0.runs").read_text() == ".", "looked at again all the same"
