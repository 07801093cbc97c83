"""Errors that nobody foresaw: how they are logged, and of which the process ends.

What could not be done for want of memory was left half done, by libraries too: a lock that is still
held, an answer that nobody gives any more, and whoever waits for it waits for ever. So a process
that met it ends at once, to be started again, as after a kill; what lasts is in the log.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Final

EX_EXHAUSTED: Final = 71
"""How a process ends that is out of memory (sysexits.h, EX_OSERR)."""


def unforeseen(error: BaseException) -> str:
    """What to log of an error that nobody foresaw: its kind, and where in the code; never its text,
    which may quote a person's data. A process that is out of memory ends here.

    >>> unforeseen(ValueError("Arben Hoxha"))
    'ValueError'
    """
    end_if_exhausted(error)
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return " < ".join([type(error).__name__, *reversed(places)])


def end_if_exhausted(error: BaseException | None) -> None:
    """End the process at once if this error is want of memory, or arose from it."""
    while error is not None:
        if isinstance(error, MemoryError):
            os.write(2, b"portcullis: out of memory; this process ends, to be started again\n")
            os._exit(EX_EXHAUSTED)
        error = error.__cause__ or error.__context__


def end_when_exhausted() -> None:
    """Have the process end where memory runs out, also where nobody is told of it: in a thread, in
    a callback, or while something is thrown away. To be called inside the event loop."""

    def thrown_away(what: sys.UnraisableHookArgs) -> None:
        end_if_exhausted(_raised(what))
        sys.__unraisablehook__(what)

    def thread(what: threading.ExceptHookArgs) -> None:
        end_if_exhausted(_raised(what))
        threading.__excepthook__(what)

    def callback(loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        end_if_exhausted(what.get("exception"))
        loop.default_exception_handler(what)

    sys.unraisablehook, threading.excepthook = thrown_away, thread
    asyncio.get_running_loop().set_exception_handler(callback)


def _raised(what: sys.UnraisableHookArgs | threading.ExceptHookArgs) -> BaseException | None:
    """The error; of want of memory there may be no more than its kind."""
    return MemoryError() if what.exc_type is MemoryError else what.exc_value
