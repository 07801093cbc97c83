"""What a mapping file expects of its source, and what the source says and gives. Pure.

A `Place` is one relation that a file names. `lacking` compares it with what the source says of
itself, `unread` with some of its rows. Every fault has the file's own key, and what rows hold is
counted, never quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from connectors.conditions import ALWAYS, Condition, fields_of
from connectors.spi import Column
from gateway.catalogue.codec import Codec
from gateway.catalogue.mapping import BIT, EntityMapping, Entry
from gateway.catalogue.vocabulary import Vocabulary

Told: TypeAlias = tuple[str, str]
"""A key of the file, and what is wrong there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """One field at one place: its key in the file, how it is read, the elements it is read from."""

    at: str
    path: str  # of the entity: "sex", "addresses.location.postcode"
    owner: str  # the entity or component whose field it is
    name: str
    codec: Codec
    entry: Entry | None = None  # None for a field of the record itself
    leaves: bool = True  # an embedding never leaves its source

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that it is read from; a bit's is the mask."""
        mask = self.entry.per_bit if self.entry is not None else None
        return tuple(mask or "" if column == BIT else column for column in self.codec.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One relation that a mapping file names, and all that the file expects there."""

    at: str
    relation: str
    key: Told  # the file's key, and the column that gives the rows their order
    spellings: tuple[Spelling, ...]
    named: tuple[Told, ...] = ()  # columns that are named and not converted
    only: Condition = ALWAYS
    sample: Condition = ALWAYS


def places_of(mapping: EntityMapping, vocabulary: Vocabulary) -> tuple[Place, ...]:
    """The entity's own relation, and each child relation of its components."""
    at = f"entity.{mapping.entity}"
    fields = vocabulary.entities[mapping.entity].fields
    own = [
        Spelling(
            at=f"{at}.columns.{name}",
            path=name,
            owner=mapping.entity,
            name=name,
            codec=codec,
            leaves=fields[name].type.name != "Vector",
        )
        for name, codec in mapping.columns.items()
    ]
    children: list[Place] = []
    for part, entry in ((part, e) for part, entries in mapping.parts.items() for e in entries):
        found = list(_element(part, entry, fields[part].type.name, vocabulary))
        if entry.relation is None:
            own += found
            continue
        child = Place(
            at=entry.at,
            relation=entry.relation,
            key=(f"{entry.at}.key", entry.key),
            spellings=tuple(found),
            named=((f"{entry.at}.by", entry.by), *_only(entry.at, entry.only)),
            only=entry.only,
            sample=entry.sample,
        )
        children.append(child)
    record = Place(
        at=at,
        relation=mapping.relation,
        key=(f"{at}.columns.native_key", mapping.key.columns[0]),
        spellings=tuple(own),
        named=tuple(_only(at, mapping.only)),
        only=mapping.only,
        sample=mapping.sample,
    )
    return record, *children


def _element(part: str, entry: Entry, component: str, vocabulary: Vocabulary) -> Iterator[Spelling]:
    for dotted, codec in entry.columns.items():
        owner, (*way, name) = component, dotted.split(".")
        for step in way:
            owner = vocabulary.components[owner].fields[step].type.name
        at, path = f"{entry.at}.{dotted}", f"{part}.{dotted}"
        yield Spelling(at=at, path=path, owner=owner, name=name, codec=codec, entry=entry)


def _only(at: str, only: Condition) -> Iterator[Told]:
    return ((f"{at}.only.{column}", column) for column in sorted(fields_of(only)))


def lacking(place: Place, relations: Mapping[str, Mapping[str, Column]]) -> Iterator[Told]:
    """The relation and each column that is not there, or is of a type that cannot be read."""
    held = relations.get(place.relation)
    if held is None:
        yield f"{place.at}.relation", f"the source has no {place.relation!r}"
        return
    wanted = [(s.at, column, s.codec.wants) for s in place.spellings for column in s.columns]
    wanted += [(at, column, frozenset()) for at, column in (place.key, *place.named)]
    for at, column, wants in dict.fromkeys(wanted):
        if (found := held.get(column.partition(":")[0])) is None:
            yield at, f"{place.relation!r} has no column {column!r}"
        elif wants and ":" not in column and found.type not in ("", *wants):
            kinds = " or ".join(sorted(wants))
            yield at, f"{column!r} is {found.type}; this conversion reads {kinds}"


def unread(
    spellings: Iterable[Spelling], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Iterator[Told]:
    """Codes that a conversion does not list, and conversions that read none of what is held."""
    index = {column: n for n, column in enumerate(columns)}
    for spelling in spellings:
        codec = spelling.codec
        if not codec.columns or BIT in codec.columns:
            continue
        raw = (values for row in rows for values in _raw(spelling, row, index))
        held = [values for values in raw if any(v not in (None, "", []) for v in values)]
        if codec.strange is not None:
            if strange := sum(1 for values in held if codec.strange(values[0])):
                text = f"{strange} of {len(held)} values hold a code that 'values' does not list"
                yield spelling.at, text
        elif held and not any(_reads(codec, values) for values in held):
            yield spelling.at, f"none of {len(held)} values could be read; is the conversion right?"


def _raw(
    spelling: Spelling, row: Sequence[Any], index: Mapping[str, int]
) -> Iterator[Sequence[Any]]:
    """What the conversion is given of a row: once, or for each element of a list in it."""
    values = [row[index[column]] for column in spelling.columns]
    if spelling.entry is None or spelling.entry.each is None:
        yield values
        return
    sizes = [len(value) for value in values if isinstance(value, list)]
    for n in range(max(sizes, default=0)):
        yield [_at(value, n) for value in values]


def _at(value: Any, n: int) -> Any:
    if isinstance(value, list):
        return value[n] if n < len(value) else None
    return value


def _reads(codec: Codec, values: Sequence[Any]) -> bool:
    try:
        return codec.decode(values) is not None
    except (ValueError, TypeError):
        return False
