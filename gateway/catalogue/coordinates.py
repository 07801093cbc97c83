"""Coordinates: the places, fields and uses that policy may name, and what it names in vain.

A rule about what does not exist protects nothing, and may once have protected something that has
another name now (AZ-21): with such a row nothing starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.catalogue.vocabulary import KEY, Vocabulary
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
    """Rows of the tables of fields and uses and of the matrix for what the vocabulary does not
    have; of a table that is not there, nothing."""
    known = {type_: {*vocabulary.fields_of(type_)} for type_ in types_of(vocabulary)}
    for type_, fields in tables.get("fields", {}).items():
        given = {_REF} if type_ in vocabulary.entities else set()
        for name in fields.keys() - known.get(type_, set()) - given:
            yield _fault("fields", f"{type_}.{name}", "there is no such field")
    for type_, uses in tables.get("uses", {}).items():
        for use, names in uses.items():
            may = {*known.get(type_, ()), *_dotted(vocabulary, type_)}
            if use == "reveal":
                may = {name for kind, name in _offered_of(vocabulary, type_) if kind == use}
            for name in sorted({*names} - may):
                yield _fault("uses", f"{type_} / {use} / {name}", "nobody asks it")
    places = {*known, *_places(vocabulary)}
    for place in tables.get("matrix", {}):
        way, _, end = place.rpartition(">")
        if end not in places or (way and way not in vocabulary.entities):
            yield _fault("matrix", place, "there is no such place")


def _fault(table: str, key: str, text: str) -> Fault:
    return Fault(file=f"tables/{table}/data.json", key=key, text=text)


def _offered_of(vocabulary: Vocabulary, type_: str) -> list[tuple[str, str]]:
    known = type_ in vocabulary.entities or type_ in vocabulary.components
    return offered(vocabulary, type_) if known else []


def _places(vocabulary: Vocabulary) -> Iterator[str]:
    for entity in vocabulary.entities:
        yield from (f"{entity}.{path}" for path, _ in parts(vocabulary, entity) if path)


def _dotted(vocabulary: Vocabulary, type_: str) -> Iterator[str]:
    """Fields of an entity's parts, as a record's criteria name them."""
    for path, inner in parts(vocabulary, type_) if type_ in vocabulary.entities else ():
        yield from (f"{path}.{name}" for name in vocabulary.fields_of(inner))
