"""What exists and how sensitive it is: the shared vocabulary.

It names types, fields, links, criteria and root fields in `snake_case`, and knows no source. It is
read from its file by `vocabulary_file.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.model import EMPTY, Reveal

SCALARS = frozenset(
    {
        "String",
        "GivenNames",  # one or more given names: any of them compares
        "Name",  # a person's name: compared folded (case, accents and apostrophes away)
        "Int",
        "Float",
        "Boolean",
        "Date",
        "DateTime",
        "PartialDate",
        "Duration",  # arguments only
        "Vrm",
        "E164",
        "Postcode",
        "CountryCode",
        "DocumentNumber",  # compared without spaces, case and leading zeros' punctuation
        "ContactValue",  # E.164 for phones, lower case for the rest
        "Key",  # a source's own key: hidden always
        "Vector",  # an embedding: hidden always
    }
)
USES = frozenset({"filter", "count", "link", "match", "face", "identify"})
KEY = "native_key"
"""What records are counted by, and what puts them in the order that a cursor goes on in. Nobody
chooses another order, so no other field is sorted by."""
MARKINGS = frozenset({"O", "OS"})
CLASSES = ("S0", "S1", "S2", "S3", "S4", "S5")
MASKS = frozenset(
    {"NULL", "REDACT", "YEAR", "MONTH_YEAR", "LAST4", "FIRST_OUT", "AGE_BAND", "GRID_1KM"}
    | {"TOKEN", "SANITISED_TEXT", "BAND", "COUNT_ONLY", "HIT_ONLY"}
)
EVERYTHING = "*"
"""What a narrative tells: all that its record says."""
SHAPES = frozenset({"hits", "list", "one", "face"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRef:
    """A type as a field bears it: `[Name!]` is name "Name", many."""

    name: str
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One attribute of an entity or component."""

    name: str
    type: TypeRef
    marking: str
    sens: str
    masks: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    reveals: tuple[Reveal, ...] = ()
    derived: str | None = None
    from_: tuple[str, ...] = ()
    coarse_by: tuple[str, ...] = ()  # fields whose masked values are told where a mask leaves none
    bands: Mapping[str, tuple[Any, ...]] = EMPTY
    hidden: bool = False
    guard: bool = False  # the guard of every record rests on it
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A caller's condition on a field: `on op value`."""

    name: str
    type: TypeRef
    on: str
    op: str
    min_length: int = 0
    alone: bool = True  # enough by itself to ask a source
    before_now: bool = False  # a duration, counted back from the moment of the question
    narrows_type: bool = False  # chooses members of an interface instead of a field's values


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A declared join from one entity to another."""

    name: str
    to: TypeRef
    from_: str
    by: str
    shared: bool  # the key is a shared identifier, asked of every source; else local to the source
    marking: str
    sens: str
    args: Mapping[str, Argument] = EMPTY
    reveals: tuple[str, ...] = ()  # of the record it starts from: what its records tell besides


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A kind of record."""

    name: str
    doc: str
    fields: Mapping[str, Field]
    links: Mapping[str, Link] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A list or small object within a record, without a key of its own."""

    name: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One field of the query type."""

    name: str
    doc: str
    entity: str  # an entity or an interface
    shape: str  # "hits", "list", "one" or "face"
    args: Mapping[str, Argument] = EMPTY
    by: str | None = None  # an input of criteria
    any_of: str | None = None  # an input of criteria, several alternatives of it
    by_ref: bool = False
    matches: bool = False
    default_first: int = 20
    max_first: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything that exists, whoever has it."""

    enums: Mapping[str, tuple[str, ...]]
    components: Mapping[str, Component]
    entities: Mapping[str, Entity]
    interfaces: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Mapping[str, Argument]]
    roots: Mapping[str, Root]
    header: frozenset[str] = frozenset()  # fields that every entity bears
    derived: Mapping[tuple[str, str], tuple[str, ...]] = EMPTY
    reveals: Mapping[tuple[str, str], tuple[Reveal, ...]] = EMPTY

    def fields_of(self, type_name: str) -> Mapping[str, Field]:
        """The fields of an entity or component."""
        if type_name in self.entities:
            return self.entities[type_name].fields
        return self.components[type_name].fields

    def field_at(self, type_name: str, dotted: str) -> Field:
        """The field of an entity or component at `name` or `component.name`.

        Raises:
            KeyError: there is none.
        """
        fields = self.fields_of(type_name)
        *way, last = dotted.split(".")
        for step in way:
            fields = self.components[fields[step].type.name].fields
        return fields[last]

    def contents(self, entity: str, name: str) -> tuple[tuple[str, str], ...]:
        """Where the values of a record's field stand, as (part, field).

        That is the field itself, all of the component that it holds, or of EVERYTHING all that the
        record says: not what is hidden, nor what governs a record instead of telling of it.

        Raises:
            KeyError: the entity has no such field.
        """
        fields = self.entities[entity].fields
        names = fields.keys() - self.header if name == EVERYTHING else {name}
        return tuple(sorted(self._places("", fields, names)))

    def _places(
        self, path: str, fields: Mapping[str, Field], names: Iterable[str]
    ) -> Iterator[tuple[str, str]]:
        for name in names:
            field = fields[name]
            inner = self.components.get(field.type.name)
            if inner is not None and not field.derived:
                below = f"{path}.{name}" if path else name
                yield from self._places(below, inner.fields, inner.fields)
            elif not field.hidden and not field.derived:
                yield path, name

    def paged(self, entity: str) -> bool:
        """Whether a search gives this entity's records in pages, with their number."""
        roots = (root for root in self.roots.values() if root.shape == "hits")
        return any(entity in self.concrete(root.entity) for root in roots)

    def concrete(self, type_name: str) -> tuple[str, ...]:
        """The entities that a type stands for: an interface's members, or itself."""
        return self.interfaces.get(type_name, (type_name,))
