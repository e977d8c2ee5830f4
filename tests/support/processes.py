"""Processes that tests watch."""

import psutil


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more, be it gone or not collected yet by its parent."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it went between the two questions
        return True
