"""Become the child: drop privileges, tie the life to the parent's, then run the command.

Run as a script by `tollway.supervisor.child`, in a fresh interpreter, because the same calls between fork and exec of
a process with threads may deadlock. It imports the standard library only, so that it starts in milliseconds.

Arguments: death signal, parent's process id, user id and group id (``-`` to keep them), the command and its arguments.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process with the command.

    Raises:
        OSError: the user cannot be changed or the command cannot be run.
    """
    death_signal, parent, user_id, group_id, *command = arguments
    os.umask(0o077)
    if user_id != "-":
        os.setgroups([])
        os.setgid(int(group_id))
        os.setuid(int(user_id))
    # After the change of user, which clears it. Then the parent is looked at: it may have died before.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != int(parent):
        sys.exit(128 + signal.SIGHUP)
    os.execv(command[0], command)  # noqa: S606  # the command comes from our own supervisor


if __name__ == "__main__":
    main(sys.argv[1:])
