"""``python -m tollway.supervisor.load MODULE``: run the `main` of a module whose code is loaded without pauses.

Loading makes many objects and no garbage; looking for some meanwhile takes a sixth of a worker's start.
"""

import gc
import sys

from tollway.late import import_late


def main() -> None:
    """Load the module that is named, and run it."""
    gc.disable()
    module = import_late(sys.argv[1])
    gc.enable()
    module.main()


if __name__ == "__main__":
    main()
