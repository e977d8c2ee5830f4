"""Print what breaks a house rule: ``PYTHONPATH=scripts python -m house_rules``. Exits with 1 if anything does."""

import sys
from pathlib import Path

from house_rules.check import findings, modules

if __name__ == "__main__":
    broken = findings(modules(Path.cwd()))
    sys.stdout.writelines(f"{item}\n" for item in broken)
    sys.exit(1 if broken else 0)
