"""Lets children load their code while the database still starts: they wait at a gate before they begin."""

import os

from tollway.config import START_FD_VARIABLE


class Gate:
    """A pipe whose read end the children inherit: once the write end is closed, they see its end and go on.

    A child that is started later finds the gate open.
    """

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe()
        self._is_open = False

    @property
    def environment(self) -> dict[str, str]:
        """What tells a child of the gate."""
        return {START_FD_VARIABLE: str(self.read_fd)}

    def open(self) -> None:
        """Let all through, now and later."""
        if not self._is_open:
            self._is_open = True
            os.close(self._write_fd)

    def close(self) -> None:
        """Give the descriptors back; to be called when there are no children any more."""
        self.open()
        os.close(self.read_fd)


def wait_for_start() -> None:
    """In a child: wait at the gate, if there is one."""
    descriptor = os.environ.get(START_FD_VARIABLE)
    if descriptor:
        os.read(int(descriptor), 1)
        os.close(int(descriptor))
