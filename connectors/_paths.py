"""Columns of sources that answer JSON: `a.b` and `names[].family` (see `spi`)."""

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


def bare(path: str) -> str:
    """The path without its list marks, as sparse fieldsets and GraphQL write it."""
    return path.replace("[]", "")
