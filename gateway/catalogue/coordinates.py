"""Coordinates: what of the vocabulary policy may name, and what it names in vain.

A rule about what does not exist protects nothing, and may once have protected something that has
another name now (AZ-21): with such a row nothing starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, Final, TypeAlias

from gateway.catalogue.vocabulary import EVERYTHING, KEY, Vocabulary
from gateway.errors import Fault

_REF = "ref"


def parts(vocabulary: Vocabulary, entity: str) -> Iterator[tuple[str, str]]:
    """The record itself ("") and every component in it, as (path, type)."""

    def below(path: str, type_: str) -> Iterator[tuple[str, str]]:
        yield path, type_
        for name, field in vocabulary.fields_of(type_).items():
            if field.type.name in vocabulary.components:
                yield from below(f"{path}.{name}" if path else name, field.type.name)

    return below("", entity)


def offered(vocabulary: Vocabulary, type_: str) -> list[tuple[str, str]]:
    """Each (use, field) that a type's fields offer; what a field reveals is offered to be told, and
    what is given in pages is counted and put in order."""
    fields = vocabulary.fields_of(type_).items()
    uses = {(use, name) for name, field in fields for use in field.uses}
    told = {name for _, field in fields for reveal in field.reveals for name in reveal.fields}
    if vocabulary.paged(type_):
        uses |= {("count", KEY), ("sort", KEY)}
    return sorted(uses | {("reveal", name) for name in told})


def types_of(vocabulary: Vocabulary) -> list[str]:
    """Every entity and component."""
    return [*vocabulary.entities, *vocabulary.components]


def strangers(vocabulary: Vocabulary, tables: Mapping[str, Any]) -> Iterator[Fault]:
    """Names in the policy's TABLES for what the vocabulary does not have; of a table that is not
    there, nothing.

    Fields that a word of `outcomes` names, or the ladder, are those of any type: of whatever type
    such a word is said, `make check` knows alone.
    """
    for name in TABLES:
        try:
            found = [*_CHECKS[name](vocabulary, tables.get(name, {}))]
        except (AttributeError, TypeError):  # a row is a text where it should be a table, or so
            found = [("-", "has not the shape of its schema")]
        for key, text in found:
            yield Fault(file=f"tables/{name}/data.json", key=key, text=text)


_Strange: TypeAlias = Iterator[tuple[str, str]]  # the key of each, and what is wrong with it
_NO_FIELD, _NO_PLACE, _NO_TYPE = (
    f"there is no such {what}" for what in ("field", "place", "kind of record")
)


def _in_fields(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    for type_, fields in table.items():
        given = {_REF} if type_ in vocabulary.entities else set()
        for name in sorted(fields.keys() - known_fields(vocabulary, type_) - given):
            yield f"{type_}.{name}", _NO_FIELD
        for name, (_, _, *holds) in fields.items():
            if holds and holds[0] not in vocabulary.components:
                yield f"{type_}.{name} / {holds[0]}", _NO_TYPE


def _in_uses(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    for type_, uses in table.items():
        asked = {*askable(vocabulary, type_)}
        for use, names in uses.items():
            for name in names:
                if (use, name) not in asked:
                    yield f"{type_} / {use} / {name}", "nobody asks it"


def _in_matrix(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    known = {*types_of(vocabulary), *_places(vocabulary)}
    for place in table:
        way, _, end = place.rpartition(">")
        if end not in known or (way and way not in vocabulary.entities):
            yield place, _NO_PLACE


def _in_switches(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    """The firewall's: a place or purpose that has another name now would have left the wall."""
    for purpose in table.get("firewall_purposes", ()):
        if purpose not in vocabulary.enums.get("Purpose", ()):
            yield f"firewall_purposes / {purpose}", "there is no such purpose"
    known = {*vocabulary.entities, *_places(vocabulary)}
    for switch in ("firewall_silent", "firewall_told"):
        for place in table.get(switch, ()):
            if place not in known:
                yield f"{switch} / {place}", _NO_PLACE


def _in_purposes(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    for purpose, row in table.items():
        for entity in row.get("reaches", ()):
            if entity not in vocabulary.entities:
                yield f"{purpose} / reaches / {entity}", _NO_TYPE


def _in_obligations(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    """What is shown for a time only, or bears a watermark, by its type."""
    types = types_of(vocabulary)
    for duty in ("time_box", "watermark"):
        for type_ in table.get(duty, {}).get("entities", ()):
            if type_ not in types:
                yield f"{duty} / entities / {type_}", _NO_TYPE


def _in_ladder(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    """A field that has another name now would be shown by its class alone."""
    known = _any_field(vocabulary)
    for name in table.get("explicit", ()):
        if name not in known:
            yield f"explicit / {name}", _NO_FIELD


def _in_outcomes(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    """A word that denies a field which has another name now would show it with all the others."""
    known = {*_any_field(vocabulary), _REF, "*"}
    asked = {one for type_ in types_of(vocabulary) for one in askable(vocabulary, type_)}
    for word, outcome in table.items():
        for key in ("read", "note_at"):
            for name in outcome.get(key, ()):
                if name not in known:
                    yield f"{word} / {key} / {name}", _NO_FIELD
        for use, names in outcome.get("not_uses", {}).items():
            for name in names:
                if (use, name) not in asked:
                    yield f"{word} / not_uses / {use} / {name}", "nobody asks it"


def _in_casework(vocabulary: Vocabulary, table: Mapping[str, Any]) -> _Strange:
    types = types_of(vocabulary)
    for agency, wired in table.get("tripwires", {}).items():
        for type_ in wired:
            if type_ not in (*types, EVERYTHING):
                yield f"tripwires / {agency} / {type_}", _NO_TYPE
    for type_, field in table.get("placed_by", {}).items():
        if field not in known_fields(vocabulary, type_):
            yield f"placed_by / {type_} / {field}", _NO_FIELD
    for type_, fields in table.get("releasable", {}).items():
        known = known_fields(vocabulary, type_) if type_ in vocabulary.entities else frozenset()
        if not fields and not known:
            yield f"releasable / {type_}", _NO_TYPE
        for field in fields:
            if field not in known:
                yield f"releasable / {type_} / {field}", _NO_FIELD


_CHECKS: Final[Mapping[str, Callable[[Vocabulary, Mapping[str, Any]], _Strange]]] = {
    "fields": _in_fields,
    "uses": _in_uses,
    "matrix": _in_matrix,
    "switches": _in_switches,
    "purposes": _in_purposes,
    "obligations": _in_obligations,
    "ladder": _in_ladder,
    "outcomes": _in_outcomes,
    "casework": _in_casework,
}
TABLES: Final = tuple(_CHECKS)
"""The tables that name what the vocabulary has."""


def known_fields(vocabulary: Vocabulary, type_: str) -> Set[str]:
    """The fields of an entity or a component; of what is neither, none."""
    known = type_ in vocabulary.entities or type_ in vocabulary.components
    return vocabulary.fields_of(type_).keys() if known else frozenset()


def _any_field(vocabulary: Vocabulary) -> Set[str]:
    return {name for type_ in types_of(vocabulary) for name in vocabulary.fields_of(type_)}


def _places(vocabulary: Vocabulary) -> Iterator[str]:
    for entity in vocabulary.entities:
        yield from (f"{entity}.{path}" for path, _ in parts(vocabulary, entity) if path)


def askable(vocabulary: Vocabulary, type_: str) -> Iterator[tuple[str, str]]:
    """Each (use, field) of a type, and of an entity's parts as its criteria and links name them."""
    if type_ in vocabulary.components:
        yield from offered(vocabulary, type_)
    for path, inner in parts(vocabulary, type_) if type_ in vocabulary.entities else ():
        for use, name in offered(vocabulary, inner):
            yield use, f"{path}.{name}" if path else name
