"""Columns of sources that answer JSON: `a.b`, `names[].family` and `a+b` (see `spi`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from connectors.spi import SourceProtocolError

_STEP = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*(\[\])?")


@lru_cache(maxsize=4096)
def reader(path: str) -> Callable[[Any], Any]:
    """The function that takes a record to the value at `path`, or to None where it is absent.

    Raises:
        SourceProtocolError: the path is not one; or, when called, the record has another shape.
    """
    if "+" in path:
        readers = [reader(part) for part in path.split("+")]
        return lambda record: _joined([read_one(record) for read_one in readers])
    steps = path.split(".")
    if not all(_STEP.fullmatch(step) for step in steps):
        raise SourceProtocolError("not a path into a JSON record")
    return lambda record: _read(record, tuple(steps))


def _read(value: Any, steps: tuple[str, ...]) -> Any:
    for at, step in enumerate(steps):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise SourceProtocolError(f"{step}: its owner is not an object")
        value = value.get(step.removesuffix("[]"))
        if step.endswith("[]") and value is not None:
            if not isinstance(value, list):
                raise SourceProtocolError(f"{step}: not a list")
            return [_read(element, steps[at + 1 :]) for element in value]
    return value


def _joined(values: list[Any]) -> Any:
    """One key of several values; one for each element where some of them are lists."""
    if lists := [value for value in values if isinstance(value, list)]:
        size = max(map(len, lists))
        return [_joined([at(value, n) for value in values]) for n in range(size)]
    return None if any(value is None for value in values) else ":".join(map(str, values))


def at(value: Any, n: int) -> Any:
    """What a value means for the n-th element of a list: its own n-th, or the value itself."""
    if isinstance(value, list):
        return value[n] if n < len(value) else None
    return value


def bare(path: str) -> str:
    """The path without its list marks, as sparse fieldsets and GraphQL write it."""
    return path.replace("[]", "")


def bare_parts(column: str) -> tuple[str, ...]:
    """The paths that a column is read from, without their list marks."""
    return tuple(bare(column).split("+"))
