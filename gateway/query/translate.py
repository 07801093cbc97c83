"""From the catalogue's names to a source's: what a condition asks of it. Pure.

`push` turns a canonical condition into one that the source can be asked. What the source can only
answer too widely is marked inexact, and the gateway checks it again with `satisfies`; what it holds
nothing about can never hold. A criterion on a component that lives in a child relation becomes a
`Prefetch`: a visit of that relation first, whose keys become an `in` on the owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from connectors.conditions import (
    ALWAYS,
    NEVER,
    And,
    Compare,
    Condition,
    IsNull,
    Op,
    Or,
    all_of,
    any_of,
    fields_of,
    holds,
)
from gateway.catalogue.conversions import Codec, Pushed
from gateway.catalogue.forms import comparable, interval
from gateway.catalogue.mapping import EntityMapping, Entry
from gateway.catalogue.vocabulary import Vocabulary
from gateway.errors import CannotEnforce


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetch:
    """A child relation to visit first: the owners of elements that satisfy `where`."""

    part: str
    entry: int
    where: Condition  # in the source's names


Found: TypeAlias = Mapping[Prefetch, tuple[Any, ...]]
"""For each prefetch the owners' keys, as the source spells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """Turns canonical conditions on one entity into one source's.

    `found` is None while only the shape is of interest: each prefetch then stands as one owner.
    """

    mapping: EntityMapping
    vocabulary: Vocabulary
    found: Found | None = None

    def push(self, condition: Condition) -> Pushed:
        """The source's condition. Holds for at least the rows meant, for just those if exact."""
        match condition:
            case And(parts):
                pushed = [self._group(name, g) for name, g in _groups(parts)]
                return Pushed(all_of(p.condition for p in pushed), all(p.exact for p in pushed))
            case Or(parts):
                # An alternative that the source cannot be asked at all is left out: asking it
                # would be asking for everything.
                pushed = [p for p in map(self.push, parts) if p.exact or p.condition != ALWAYS]
                return Pushed(any_of(p.condition for p in pushed), all(p.exact for p in pushed))
            case Compare(field) | IsNull(field) if "." in field:
                return self._group(field.partition(".")[0], [condition])
            case Compare(field, op, value):
                codec = self.mapping.columns.get(field)
                if codec is None:
                    return Pushed(NEVER)
                return codec.encode(op, value) or Pushed(ALWAYS, exact=False)
            case IsNull(field):
                return self._is_null(field)

    def prefetches(self, condition: Condition) -> tuple[Prefetch, ...]:
        """The child relations that must be visited before `condition` can be asked."""
        made: list[Prefetch] = []
        match condition:
            case And(parts):
                for name, group in _groups(parts):
                    if name:
                        made.extend(p for p, _ in self._child_pushes(name, group))
                    else:
                        made.extend(p for part in group for p in self.prefetches(part))
            case Or(parts):
                made.extend(p for part in parts for p in self.prefetches(part))
            case Compare(field) | IsNull(field) if "." in field:
                made.extend(p for p, _ in self._child_pushes(field.partition(".")[0], [condition]))
            case _:
                pass
        return tuple(dict.fromkeys(made))

    def _is_null(self, field: str) -> Pushed:
        codec = self.mapping.columns.get(field)
        return Pushed(ALWAYS) if codec is None else _nothing_held(codec)

    def _group(self, part: str, conditions: Sequence[Condition]) -> Pushed:
        """Conditions on one component: any of its places may satisfy all of them."""
        if not part:
            pushed = [self.push(c) for c in conditions]
            return Pushed(all_of(p.condition for p in pushed), all(p.exact for p in pushed))
        places: list[Pushed] = []
        for entry in self.mapping.parts.get(part, ()):
            if entry.relation is None:
                places.append(self._inline(entry, conditions))
        for prefetch, exact in self._child_pushes(part, conditions):
            column = self.mapping.key.columns[0]
            if self.found is None:
                keys: tuple[Any, ...] = ("",)
            else:
                keys = self.found.get(prefetch, ())
            places.append(Pushed(Compare(column, Op.IN, keys) if keys else NEVER, exact))
        return Pushed(any_of(p.condition for p in places), all(p.exact for p in places))

    def _inline(self, entry: Entry, conditions: Sequence[Condition]) -> Pushed:
        if entry.per_bit is not None:
            return Pushed(ALWAYS, exact=False)
        pushed = _element(entry.columns, conditions)
        # In a list each comparison may be met by another element; only we can tell.
        alone = entry.each is None or len(conditions) == 1
        return Pushed(pushed.condition, pushed.exact and alone)

    def _child_pushes(
        self, part: str, conditions: Sequence[Condition]
    ) -> Iterator[tuple[Prefetch, bool]]:
        for number, entry in enumerate(self.mapping.parts.get(part, ())):
            if entry.relation is None:
                continue
            pushed = _element(entry.columns, conditions)
            if pushed.condition == NEVER or (pushed.condition == ALWAYS and not pushed.exact):
                continue
            yield Prefetch(part=part, entry=number, where=pushed.condition), pushed.exact


def _nothing_held(codec: Codec) -> Pushed:
    """That none of a field's columns holds anything; of a constant, which has none, whether it is
    nothing. Never, where nothing held there reads as something."""
    if codec.decode([None] * len(codec.columns)) is not None:
        return Pushed(NEVER)
    return Pushed(all_of(IsNull(column) for column in codec.columns))


def _groups(parts: Iterable[Condition]) -> list[tuple[str, list[Condition]]]:
    """The parts of an `and`, those on one component together; "" for all others."""
    groups: dict[str, list[Condition]] = {}
    for part in parts:
        name = ""
        if isinstance(part, Compare | IsNull) and "." in part.field:
            name = part.field.partition(".")[0]
        groups.setdefault(name, []).append(part)
    return list(groups.items())


def _element(columns: Mapping[str, Codec], conditions: Sequence[Condition]) -> Pushed:
    """Conditions on one element, in the names of one place that holds elements."""
    pushed: list[Pushed] = []
    for condition in conditions:
        match condition:
            case Compare(field, op, value):
                codec = columns.get(field.partition(".")[2])
                if codec is None:
                    return Pushed(NEVER)
                pushed.append(codec.encode(op, value) or Pushed(ALWAYS, exact=False))
            case _:
                pushed.append(Pushed(ALWAYS, exact=False))
    if len(pushed) == 1:
        return pushed[0]
    return Pushed(all_of(p.condition for p in pushed), all(p.exact for p in pushed))


def on_seen(where: Condition, rows: Mapping[str, Condition]) -> tuple[Condition, bool]:
    """`where`, met only by elements that policy's `rows` let through, by component; and whether it
    says all of that, or the elements that may not be seen have to be taken away first."""
    match where:
        case Or(parts):
            made = [on_seen(part, rows) for part in parts]
            return any_of(c for c, _ in made), all(whole for _, whole in made)
        case And(parts):
            made = []
            for name, group in _groups(parts):
                if name:
                    made.append(_with_rows(group, name, rows.get(name, ALWAYS)))
                else:
                    made.extend(on_seen(part, rows) for part in group)
            return all_of(c for c, _ in made), all(whole for _, whole in made)
        case Compare(field) | IsNull(field) if "." in field:
            name = field.partition(".")[0]
            return _with_rows([where], name, rows.get(name, ALWAYS))
        case _:
            return where, True


def _with_rows(group: Sequence[Condition], part: str, rows: Condition) -> tuple[Condition, bool]:
    """Conditions on one element and, as far as they can stand beside them, those of policy."""
    if rows == NEVER:
        return NEVER, True
    alike = rows.parts if isinstance(rows, And) else (rows,)
    plain = [_prefix(one, part) for one in alike if isinstance(one, Compare | IsNull)]
    return all_of((*group, *plain)), len(plain) == len(alike)


def askable(where: Condition, mapping: EntityMapping, vocabulary: Vocabulary) -> bool:
    """Whether the source can be asked any of it: not nothing, and not everything.

    One alternative that can be asked is enough, where none can be met by every row.
    """
    if where == ALWAYS:
        return True
    pushing = Pushing(mapping=mapping, vocabulary=vocabulary)
    told = (pushing.push(part).condition for part in _alternatives(where, mapping))
    return any(condition not in (NEVER, ALWAYS) for condition in told)


def _alternatives(where: Condition, mapping: EntityMapping) -> tuple[Condition, ...]:
    """Conditions that can be looked at one by one; one, where a place holds the same in all."""
    if not isinstance(where, Or) or any(map(mapping.same_in_all, fields_of(where))):
        return (where,)
    return where.parts


def may_hold(kind: str, mapping: EntityMapping) -> bool:
    """Whether the source may hold an identifier of this kind."""
    return bool(_places(kind, mapping))


def wholly_askable(identifier: tuple[str, str], mapping: EntityMapping) -> bool:
    """Whether each place where the source may keep this identifier (kind and value) can be asked
    for it. One that cannot is left out of a wider question, and what it holds would be missed."""
    kind, value = identifier
    return all(
        entry.per_bit is None and entry.columns["value"].encode(Op.EQ, value) is not None
        for entry in _places(kind, mapping)
    )


def _places(kind: str, mapping: EntityMapping) -> list[Entry]:
    entries = (e for e in mapping.parts.get("identifiers", ()) if "value" in e.columns)
    return [entry for entry in entries if _of_kind(kind, entry)]


def _of_kind(kind: str, entry: Entry) -> bool:
    codec = entry.columns.get("kind")
    asked = codec.encode(Op.EQ, kind) if codec is not None and entry.per_bit is None else None
    return asked is None or asked.condition != NEVER


def guard_of(rows: Condition, pushing: Pushing) -> tuple[Condition, bool]:
    """Policy's condition in the source's names, and whether the source can enforce it.

    Raises:
        CannotEnforce: it rests on a field that the source does not map.
    """
    for field in fields_of(rows):
        if not pushing.mapping.holds_field(field):
            raise CannotEnforce(f"a rule rests on {field}, which the source does not map")
    if pushing.prefetches(rows):
        raise CannotEnforce("a rule rests on a child relation; map it to a Boolean of the record")
    pushed = pushing.push(rows)
    return pushed.condition, pushed.exact


def child_guard(entry: Entry, guard: Condition) -> Condition | None:
    """Policy's condition on elements in a child relation's names, or None if it cannot enforce."""
    if any(field not in entry.columns for field in fields_of(guard)):
        return None
    prefixed = _prefix(guard, "element")
    pushed = _push_element(entry.columns, prefixed)
    return pushed.condition if pushed.exact or entry.over_read else None


def _prefix(condition: Condition, part: str) -> Condition:
    match condition:
        case And(parts):
            return And(tuple(_prefix(p, part) for p in parts))
        case Or(parts):
            return Or(tuple(_prefix(p, part) for p in parts))
        case Compare(field, op, value):
            return Compare(f"{part}.{field}", op, value)
        case IsNull(field):
            return IsNull(f"{part}.{field}")


def _push_element(columns: Mapping[str, Codec], condition: Condition) -> Pushed:
    match condition:
        case And(parts):
            pushed = [_push_element(columns, part) for part in parts]
            return Pushed(all_of(p.condition for p in pushed), all(p.exact for p in pushed))
        case Or(parts):
            pushed = [_push_element(columns, part) for part in parts]
            return Pushed(any_of(p.condition for p in pushed), all(p.exact for p in pushed))
        case IsNull(field):
            return _nothing_held(columns[field.partition(".")[2]])
        case _:
            return _element(columns, [condition])


def satisfies(
    where: Condition, values: Mapping[str, Any], vocabulary: Vocabulary, mapping: EntityMapping
) -> bool:
    """Whether a record meets a caller's condition, by the vocabulary's own way of comparing."""
    match where:
        case And(parts):
            return all(
                any(_matches(g, e, vocabulary, mapping) for e in _elements(values, name))
                if name
                else all(satisfies(c, values, vocabulary, mapping) for c in g)
                for name, g in _groups(parts)
            )
        case Or(parts):
            return any(satisfies(part, values, vocabulary, mapping) for part in parts)
        case Compare(field) | IsNull(field):
            if "." not in field:
                return _matches([where], values, vocabulary, mapping)
            elements = _elements(values, field.partition(".")[0])
            return any(_matches([where], element, vocabulary, mapping) for element in elements)


def _elements(values: Mapping[str, Any], part: str) -> Iterator[Mapping[str, Any]]:
    for element in values.get(part) or ():
        yield {f"{part}.{name}": value for name, value in element.items()}


def _matches(
    conditions: Iterable[Condition],
    values: Mapping[str, Any],
    vocabulary: Vocabulary,
    mapping: EntityMapping,
) -> bool:
    for condition in conditions:
        if not isinstance(condition, Compare):
            if not holds(condition, values):
                return False
            continue
        scalar = vocabulary.field_at(mapping.entity, condition.field).type.name
        held = values.get(condition.field)
        if scalar == "PartialDate" and condition.op is Op.EQ:
            if not _overlaps(held, condition.value):
                return False
            continue
        asked = condition.value
        compared = comparable(scalar, asked) if isinstance(asked, str) else asked
        if isinstance(compared, list):
            compared = compared[0]
        asked_as = [compared]
        cut = mapping.cut(condition.field) if scalar == "Name" else None
        if cut is not None and isinstance(compared, str):
            asked_as.append(compared[:cut].rstrip())  # a name held cut answers for the whole
        row = {condition.field: comparable(scalar, held)}
        if not any(holds(Compare(condition.field, condition.op, a), row) for a in asked_as):
            return False
    return True


def _overlaps(held: Any, asked: Any) -> bool:
    if not isinstance(held, str) or not isinstance(asked, str):
        return False
    low, high = interval(held)
    first, last = interval(asked)
    return low <= last and first <= high
