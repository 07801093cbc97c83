"""Processes that are made quickly, since all that they import is there already."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

PATIENCE_S = 30.0  # far longer than anything takes here


@cache
def _nursery() -> ForkServerContext:
    """Where they are made; it has imported what ours have that may run in them."""
    made = multiprocessing.get_context("forkserver")
    needed = [name for name in ("victims", "gateways") if f"tests.crash.{name}" in sys.modules]
    made.set_forkserver_preload(["__main__", *(f"tests.crash.{name}" for name in needed)])
    return made


@contextmanager
def started(
    what: Callable[..., None], *given: Any
) -> Iterator[tuple[ForkServerProcess, Connection]]:
    """A process that runs `what`, whose last argument is its end of a pipe; killed at the end."""
    ours, theirs = _nursery().Pipe()
    process = _nursery().Process(target=what, args=(*given, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join(PATIENCE_S)
        ours.close()


def said(pipe: Connection) -> Any:
    """The next that it says.

    Raises:
        TimeoutError: it says nothing.
        EOFError: it has ended.
    """
    if not pipe.poll(PATIENCE_S):
        raise TimeoutError("nothing was said")
    return pipe.recv()


def all_said(pipe: Connection) -> list[Any]:
    """Whatever it still says until it ends."""
    found = []
    while True:
        try:
            found.append(said(pipe))
        except (EOFError, ConnectionResetError):
            return found


def answer(what: Callable[..., None], *given: Any) -> Any:
    """The one thing that a process says."""
    with started(what, *given) as (_, pipe):
        return said(pipe)


def warm() -> None:
    """Have all that processes need imported, which takes seconds, before anything is measured."""
    answer(_here)


def _here(pipe: Connection) -> None:
    pipe.send("here")
