"""Which of several cases holds for a record: conditions put together as one function each.

The cases of a field become one function, once for each decision; it says of every record what
`conditions.holds` says, without reading the condition again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or, holds
from gateway.catalogue.vocabulary import Field
from gateway.model import Case, Manner, Record
from gateway.query.derived import DERIVED, Moment


@dataclass(slots=True)
class Owner:
    """The record that a value belongs to, the match band of the person whom it is about, and the
    moment of the question."""

    record: Record
    band: str | None
    moment: Moment
    last: tuple[Naming, Values, str | None] | None = None  # which case was found last, and of what


Values: TypeAlias = Mapping[str, Any]
Look: TypeAlias = Callable[[Values, Owner], Any]
Meets: TypeAlias = Callable[[Values, Owner], bool]
Naming: TypeAlias = Callable[[Values, Owner], str | None]
"""The manner that holds for one record."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a case sees of a field that stands beside the one it is about."""

    name: str

    def __call__(self, values: Values, _owner: Owner) -> Any:
        return values.get(self.name)


def first_of(cases: tuple[Case, ...], fields: Mapping[str, Field]) -> Naming:
    """The manner of the first case whose condition a record meets; None if it meets none."""
    tests = [(compiled(case.when, lambda name: seen(name, fields)), case.manner) for case in cases]

    def found(values: Values, owner: Owner) -> str | None:
        for meets, named in tests:
            if meets(values, owner):
                return named
        return None

    def shown(values: Values, owner: Owner) -> str | None:
        last = owner.last  # a record's name and its fields often have the very same cases
        if last is None or last[0] is not shown or last[1] is not values:
            last = owner.last = shown, values, found(values, owner)
        return last[2]

    return shown


def manner_by(manner: Manner, fields: Mapping[str, Field]) -> Naming:
    """The manner that holds for each record: the same for all, or by case."""
    if isinstance(manner, str):
        return lambda _values, _owner: manner
    return first_of(manner, fields)


def seen(name: str, fields: Mapping[str, Field]) -> Look:
    """What a case's condition sees: its own part's fields, those of the record around it where
    the part's type has none of that name, derived fields and the match band."""
    if name == "match_band":
        return lambda _values, owner: owner.band
    own, derive = name in fields, DERIVED.get(name)

    if own and derive is None:
        return Held(name)

    def look(values: Values, owner: Owner) -> Any:
        held = values if own else owner.record.values
        if derive is None or name in held:
            return held.get(name)
        return derive(held, owner.moment)

    return look


# --- one function for a condition ----------------------------------------------------------------


def compiled(condition: Condition, look: Callable[[str], Look]) -> Meets:
    """`holds` as one function, for a condition that many records are held against.

    `look` gives what looks up a field by its name.
    """
    match condition:
        case And(parts):
            return _joined([compiled(part, look) for part in parts], ends=False)
        case Or(parts):
            return _joined([compiled(part, look) for part in parts], ends=True)
        case IsNull(field=name):
            held = look(name)
            return lambda values, owner: held(values, owner) is None
        case Compare():
            return _compared(condition, look(condition.field))


def _joined(tests: Sequence[Meets], *, ends: bool) -> Meets:
    """Whether one of the tests comes out as `ends`, as soon as one does; else the opposite."""

    def meets(values: Values, owner: Owner) -> bool:
        for test in tests:
            if test(values, owner) is ends:
                return ends
        return not ends

    return meets


_ALIKE: Final[frozenset[type]] = frozenset({str, bool, int})
_COMPARED: Mapping[Op, Callable[[Any, Any], Any]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.gt,
    Op.LTE: operator.ge,
    Op.GT: operator.lt,
    Op.GTE: operator.le,
    Op.STARTSWITH: lambda start, held: isinstance(held, str) and held.startswith(start),
    Op.IN: operator.contains,
}
"""With the literal first."""


def _compared(condition: Compare, look: Look) -> Meets:
    """Like is compared with like at once: a text with texts, say. All else is left to `holds`."""
    name, op, value = condition.field, condition.op, condition.value
    members = value if op is Op.IN and isinstance(value, tuple) else (value,)
    compare = partial(_COMPARED[op], members if op is Op.IN else value)
    types = {type(member) for member in members}
    like = next(iter(types & _ALIKE), None) if len(types) == 1 else None
    beside = look.name if isinstance(look, Held) else None
    texts = frozenset(members) if like is str and op in {Op.EQ, Op.IN} else frozenset()

    def meets(values: Values, owner: Owner) -> bool:
        held = look(values, owner) if beside is None else values.get(beside)
        if held is None:
            return False
        if type(held) is like:
            return compare(held)  # type: ignore[no-any-return]  # of like values a bool
        if texts and type(held) is list:  # a text is equal to texts alone
            try:
                return not texts.isdisjoint(held)
            except TypeError:  # a list of lists
                pass
        return holds(condition, {name: held})

    return meets
