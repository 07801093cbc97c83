"""Whether a source can be asked what the vocabulary and the rules will ask of it. Pure.

What was asked is compared again by the gateway wherever a source can only be asked for more, so a
conversion that cannot be turned round never makes an answer wrong. It makes a field that callers
are offered one that this source is never asked by; and where a rule rests on the field, the source
is not visited at all. Both are told before anybody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from connectors.conditions import Condition, Op
from gateway.catalogue.codec import Codec, Pushed
from gateway.catalogue.mapping import EntityMapping
from gateway.catalogue.trial import Told, places_of
from gateway.catalogue.vocabulary import Argument, Field, Vocabulary

Asked: TypeAlias = Mapping[tuple[str, str], frozenset[Op]]
"""For each (type, field) the operators by which somebody can ask for it."""

_PROBES: Mapping[str, Any] = MappingProxyType(
    {
        "String": "A", "Key": "A1", "Name": "A", "GivenNames": "A", "Int": 1, "Float": 1.0,
        "Boolean": True, "Date": "1991-04-17", "PartialDate": "1991-04",
        "DateTime": "1991-04-17T12:00:00Z", "Vrm": "AB12CDE", "E164": "+447700900001",
        "ContactValue": "+447700900001", "Postcode": "AB1 2CD", "CountryCode": "GB",
        "DocumentNumber": "A1",
    }
)  # fmt: skip


def asked_of(vocabulary: Vocabulary) -> Asked:
    """Every field that an argument looks at or a link leads by, and how."""
    found: dict[tuple[str, str], set[Op]] = {}

    def add(types: tuple[str, ...], path: str, op: Op) -> None:
        part, _, name = path.rpartition(".")
        for entity in types:
            fields = vocabulary.entities[entity].fields
            if path.partition(".")[0] in fields:
                owner = vocabulary.field_at(entity, part).type.name if part else entity
                found.setdefault((owner, name), set()).add(op)

    def arguments(types: tuple[str, ...], given: Mapping[str, Argument]) -> None:
        for argument in given.values():
            if not argument.narrows_type:
                add(types, argument.on, Op(argument.op))

    for root in vocabulary.roots.values():
        types = vocabulary.concrete(root.entity)
        arguments(types, root.args)
        for name in filter(None, (root.by, root.any_of)):
            arguments(types, vocabulary.inputs[name])
    for entity in vocabulary.entities.values():
        for link in entity.links.values():
            types = vocabulary.concrete(link.to.name)
            add(types, link.by, Op.IN)
            arguments(types, link.args)
    return {place: frozenset(ops) for place, ops in found.items()}


def unaskable(mapping: EntityMapping, vocabulary: Vocabulary, asked: Asked) -> Iterator[Told]:
    """Each field by which callers may ask and this source cannot be asked, where its mapping does
    not say so by `ask`; and each on which every guard rests and that the source cannot apply."""
    for place in places_of(mapping, vocabulary):
        for spelling in place.spellings:
            field, codec = vocabulary.fields_of(spelling.owner)[spelling.name], spelling.codec
            ops = asked.get((spelling.owner, spelling.name), frozenset())
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


def guards(mapping: EntityMapping, vocabulary: Vocabulary) -> Mapping[str, Condition | None]:
    """For each field on which the guard of every record rests, what the source is asked, or None
    where its conversion cannot ask for just those rows."""
    made: dict[str, Condition | None] = {}
    for name, field in vocabulary.entities[mapping.entity].fields.items():
        codec = mapping.columns.get(name)
        if field.guard and codec is not None:
            op = Op.EQ if field.type.name == "Boolean" else Op.IN
            pushed = _pushed(codec, op, field, vocabulary)
            made[name] = pushed.condition if pushed is not None and pushed.exact else None
    return made


def _pushed(codec: Codec, op: Op, field: Field, vocabulary: Vocabulary) -> Pushed | None:
    """What the conversion makes of an operator, tried with some value of the field's type."""
    kind = field.type.name
    probe = vocabulary.enums[kind][0] if kind in vocabulary.enums else _PROBES[kind]
    return codec.encode(op, (probe,) if op is Op.IN else probe)
