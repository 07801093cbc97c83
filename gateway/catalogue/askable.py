"""Whether a source can be asked what the vocabulary and the rules will ask of it. Pure.

What was asked is compared again by the gateway wherever a source can only be asked for more, so a
conversion that cannot be turned round never makes an answer wrong. It makes a field that callers
are offered one that this source is never asked by; and where a rule rests on the field, the source
is not visited at all. Both are told before anybody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from types import MappingProxyType
from typing import Any, TypeAlias

from connectors.conditions import And, Compare, Condition, Op, Or
from gateway.catalogue.codec import Codec, Pushed
from gateway.catalogue.mapping import EntityMapping, Entry
from gateway.catalogue.trial import Told, places_of
from gateway.catalogue.vocabulary import Argument, Field, Vocabulary

Asked: TypeAlias = Mapping[tuple[str, str], frozenset[Op]]
"""For each entity and field of it, "participants.role", the operators that somebody can ask by."""

_PROBES: Mapping[str, Any] = MappingProxyType(
    {
        "String": "A", "Key": "A1", "Name": "A", "GivenNames": "A", "Int": 1, "Float": 1.0,
        "Boolean": True, "Date": "1991-04-17", "PartialDate": "1991-04",
        "DateTime": "1991-04-17T12:00:00Z", "Vrm": "AB12CDE", "E164": "+447700900001",
        "ContactValue": "+447700900001", "Postcode": "AB1 2CD", "CountryCode": "GB",
        "DocumentNumber": "A1",
    }
)  # fmt: skip


def asked_of(vocabulary: Vocabulary, *, alone: Collection[str] | None = None) -> Asked:
    """Every field that an argument looks at or a link leads by, and how.

    With `alone`, the entities that one source has: only what can be all that it is asked by.
    """
    found: dict[tuple[str, str], set[Op]] = {}

    def add(types: tuple[str, ...], path: str, op: Op) -> None:
        for entity in types:
            if path.partition(".")[0] in vocabulary.entities[entity].fields:
                found.setdefault((entity, path), set()).add(op)

    def arguments(types: tuple[str, ...], given: Mapping[str, Argument]) -> None:
        for argument in given.values():
            if not argument.narrows_type and (argument.alone or alone is None):
                add(types, argument.on, Op(argument.op))

    for root in vocabulary.roots.values():
        types = vocabulary.concrete(root.entity)
        arguments(types, root.args)
        for name in filter(None, (root.by, root.any_of)):
            arguments(types, vocabulary.inputs[name])
    for entity in vocabulary.entities.values():
        for link in entity.links.values():
            types = vocabulary.concrete(link.to.name)
            if alone is None:
                arguments(types, link.args)  # beside the key
            elif not (link.shared or entity.name in alone):
                continue  # nothing of this source leads there
            add(types, link.by, Op.IN)
    return {place: frozenset(ops) for place, ops in found.items()}


def unaskable(mapping: EntityMapping, vocabulary: Vocabulary, asked: Asked) -> Iterator[Told]:
    """Each field by which callers may ask and this source cannot be asked, where its mapping does
    not say so by `ask`; and each on which every guard rests and that the source cannot apply."""
    for place in places_of(mapping, vocabulary):
        for spelling in place.spellings:
            field, codec = vocabulary.fields_of(spelling.owner)[spelling.name], spelling.codec
            ops = asked.get((mapping.entity, spelling.path), frozenset())
            # Of several given names any may be meant: no source is asked but by a word of its own.
            if codec.ask_said or field.type.name == "GivenNames":
                continue
            if lost := [op for op in sorted(ops) if _pushed(codec, op, field, vocabulary) is None]:
                text = f"callers may ask by {' and '.join(lost)}, and this conversion cannot ask"
                yield spelling.at, f"{text} the source; ask = false if only we are to compare"
    if not mapping.over_read:
        for name, condition in guards(mapping, vocabulary).items():
            if condition is None:
                text = "every guard rests on it and this conversion cannot ask for it alone"
                yield f"entity.{mapping.entity}.columns.{name}", f"{text}; nothing would be shown"
    for at, _entry, condition in element_guards(mapping, vocabulary):
        if condition is None:
            yield at, "rules choose elements by it and the source cannot; over_read if you agree"


def untold(
    mapping: EntityMapping, vocabulary: Vocabulary, asked: Asked, told: Set[tuple[str, Op]]
) -> Iterator[Told]:
    """Each field by which alone callers may ask, that the mapping would ask the source by, and of
    which the source cannot be told (`told`: the comparisons that it can be)."""
    record, *_ = places_of(mapping, vocabulary)
    for spelling in record.spellings:
        field = vocabulary.fields_of(spelling.owner)[spelling.name]
        ops = asked.get((mapping.entity, spelling.path), frozenset())
        tried = {op: _pushed(spelling.codec, op, field, vocabulary) for op in sorted(ops)}
        lost = [op for op, pushed in tried.items() if pushed and not _says(pushed.condition, told)]
        if lost:
            text = (
                f"callers may ask by {' and '.join(lost)}, and the source has no parameter for it"
            )
            yield spelling.at, f"{text}; ask = false if only we are to compare"


def _says(condition: Condition, told: Set[tuple[str, Op]]) -> bool:
    """Whether a source that can be told these comparisons is asked for less by the condition."""
    match condition:
        case Compare(column, op, _):
            return (column, op) in told
        case And(parts):
            return not parts or any(_says(part, told) for part in parts)
        case Or(parts):
            return all(_says(part, told) for part in parts)
        case _:
            return False


def element_guards(
    mapping: EntityMapping, vocabulary: Vocabulary
) -> Iterator[tuple[str, Entry, Condition | None]]:
    """Each field by which rules choose elements: its key in the file, its place, and what that
    place is asked, or None where just those elements cannot be asked for. Left out is where the
    owner lets us read the others as well, and what is the same of every element."""
    fields = vocabulary.entities[mapping.entity].fields
    for part, entry in ((part, e) for part, entries in mapping.parts.items() for e in entries):
        for name, field in vocabulary.components[fields[part].type.name].fields.items():
            codec = entry.columns.get(name)
            if field.guard and codec is not None and not codec.constant and not entry.over_read:
                asked = _exactly(codec, field, vocabulary) if entry.relation else None
                yield f"{entry.at}.{name}", entry, asked


def guards(mapping: EntityMapping, vocabulary: Vocabulary) -> Mapping[str, Condition | None]:
    """For each field on which the guard of every record rests, what the source is asked, or None
    where its conversion cannot ask for just those rows."""
    made: dict[str, Condition | None] = {}
    for name, field in vocabulary.entities[mapping.entity].fields.items():
        codec = mapping.columns.get(name)
        if field.guard and codec is not None:
            made[name] = _exactly(codec, field, vocabulary)
    return made


def _exactly(codec: Codec, field: Field, vocabulary: Vocabulary) -> Condition | None:
    """What a source is asked by a rule on the field, where that is just what the rule says."""
    op = Op.EQ if field.type.name == "Boolean" else Op.IN
    pushed = _pushed(codec, op, field, vocabulary)
    return pushed.condition if pushed is not None and pushed.exact else None


def _pushed(codec: Codec, op: Op, field: Field, vocabulary: Vocabulary) -> Pushed | None:
    """What the conversion makes of an operator, tried with some value of the field's type."""
    kind = field.type.name
    probe = vocabulary.enums[kind][0] if kind in vocabulary.enums else _PROBES[kind]
    return codec.encode(op, (probe,) if op is Op.IN else probe)
