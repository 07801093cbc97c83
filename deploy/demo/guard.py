"""Ends a database server whose starter is gone, however that ended.

Run as a file: `guard.py STARTER SERVER SIGNAL`. It ends when either process has.
"""

from __future__ import annotations

import os
import sys
import time

_EVERY_S = 0.5


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def watch(starter: int, server: int, number: int) -> None:
    """Wait until the server has ended, or the starter has: then signal the server."""
    while _alive(server):
        # an orphan gets another parent, so this holds even if the starter's number is used again
        if os.getppid() != starter:
            os.kill(server, number)
            return
        time.sleep(_EVERY_S)


if __name__ == "__main__":
    watch(*(int(argument) for argument in sys.argv[1:4]))
