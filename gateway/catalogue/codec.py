"""How one field stands in one source: the values that every conversion is made of.

A `Codec` reads the canonical value from a row's columns, and turns a comparison in canonical terms
into a condition in the source's own: the same rows (`exact`), or more of them when only the
gateway's check can tell, or None where the source cannot help at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from connectors.conditions import ALWAYS, NEVER, Compare, Condition, Op, holds


@dataclass(frozen=True, slots=True)
class Pushed:
    """A condition that a source can be asked; `exact` if it holds for just the rows meant."""

    condition: Condition
    exact: bool = True


Decode: TypeAlias = Callable[[Sequence[Any]], Any]
Encode: TypeAlias = Callable[[Op, Any], Pushed | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How one field stands in one source. `columns` are what `decode` takes, in order."""

    columns: tuple[str, ...]
    decode: Decode
    encode: Encode
    constant: bool = False
    value: Any = None  # the constant
    cut: int | None = None  # names are held no longer than this
    ask_said: bool = False  # its mapping says how it can be asked for, or that it cannot
    # Whether a held value has a code that it cannot read; None where only `decode` tells.
    strange: Callable[[Any], bool] | None = None
    wants: frozenset[str] = frozenset()  # types of column it can read; empty for any


def constant(value: Any) -> Codec:
    """A field that has one value in the whole source."""

    def encode(op: Op, asked: Any) -> Pushed | None:
        return Pushed(ALWAYS if holds(Compare("v", op, asked), {"v": value}) else NEVER)

    return Codec(columns=(), decode=lambda _: value, encode=encode, constant=True, value=value)


def without(nulls: Sequence[Any], value: Any) -> Any:
    """The value, or None for null, blank text and the source's own words for "unknown"."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    for null in nulls:
        if value == null or (isinstance(value, date) and value.isoformat()[:10] == null):
            return None
    return value


def number(scalar: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if value is None or isinstance(value, bool):
        return None
    return int(value) if scalar == "Int" else float(value)
