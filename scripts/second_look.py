"""``python scripts/second_look.py``: look again at what failed in the run of the whole suite that has just ended.

The suite starts hundreds of real processes on whatever machine it is given, and a test that gave one of them too little
time fails now and then. A rule that is broken now and then fails as well, and must not hide behind that: so few
failures are looked at again, each three times and alone, all three must pass, and what failed first is named last.
"""

import json
import subprocess
import sys
from pathlib import Path

LOOKS = 3
FAILURES_MAX = 3
"""More are no accident."""
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
"""Where pytest notes the ids of the tests that failed."""


def look_again() -> int:
    """Exit status of the run: 0 if what failed was seen to pass each time it was looked at again."""
    failed = sorted(json.loads(LAST_FAILED.read_text(encoding="utf-8")))
    if not 0 < len(failed) <= FAILURES_MAX:
        return 1
    for look in range(1, LOOKS + 1):
        _tell(f"Look {look} of {LOOKS} at what failed, alone")
        if subprocess.run([sys.executable, "-m", "pytest", *failed], check=False).returncode:
            return 1
    _tell(f"Failed once, then passed {LOOKS} times, and must be mended:", *failed)
    return 0


def _tell(*lines: str) -> None:
    sys.stdout.write("\n" + "\n  ".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(look_again())
