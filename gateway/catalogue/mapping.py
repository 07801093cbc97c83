"""What one source has of the vocabulary, and how it spells it: one file for each source.

`read_source` turns a parsed mapping file into frozen values and reports every fault at once.
`Catalogue` is the vocabulary with all sources; it is what the rest of the gateway asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from connectors.conditions import ALWAYS, Condition, all_of, from_json
from gateway.catalogue.conversions import KNOWN_KEYS, Codec, codec, constant
from gateway.catalogue.vocabulary import Entity, Field, Vocabulary
from gateway.errors import ConfigError, Fault
from gateway.model import EMPTY

BIT = "@bit"  # the column that stands for one bit of an entry's `per_bit`


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place where a source keeps elements of a component.

    Own columns give one element; `each` a list inside a JSON row; `per_bit` one element for each
    bit of a mask; `relation` a child relation, which is one more visit.
    """

    columns: Mapping[str, Codec]  # "value", or "location.postcode" for a component in a component
    at: str = ""  # the key of its table in the mapping file
    relation: str | None = None
    by: str = ""  # the child's column that holds the owner's key
    key: str = ""  # the child's column that gives its rows their order
    each: str | None = None
    per_bit: str | None = None
    only: Condition = ALWAYS
    sample: Condition = ALWAYS
    over_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMapping:
    """One entity as one source holds it."""

    entity: str
    relation: str
    columns: Mapping[str, Codec]
    parts: Mapping[str, tuple[Entry, ...]] = EMPTY
    only: Condition = ALWAYS  # the owner's standing filter, in the source's own names
    sample: Condition = ALWAYS  # what a source that wants criteria is asked when it is tried
    over_read: bool = False
    held: frozenset[str] = field(init=False)  # every `field` and `component.field` that it has

    def __post_init__(self) -> None:
        below = (
            ".".join((part, *names[:depth]))
            for part, entries in self.parts.items()
            for entry in entries
            for names in (column.split(".") for column in entry.columns)
            for depth in range(1, len(names) + 1)
        )
        object.__setattr__(self, "held", frozenset((*self.columns, *self.parts, *below)))

    @property
    def key(self) -> Codec:
        return self.columns["native_key"]

    def cut(self, dotted: str) -> int | None:
        """The length at which some place cuts the names it holds at `component.field`, if any."""
        first, _, rest = dotted.partition(".")
        found = [entry.columns.get(rest) for entry in self.parts.get(first, ())]
        return min((c.cut for c in found if c is not None and c.cut is not None), default=None)

    def same_in_all(self, dotted: str) -> bool:
        """Whether some place holds a constant at `field` or `component.field`."""
        first, _, rest = dotted.partition(".")
        if not rest:
            return first in self.columns and self.columns[first].constant
        found = (entry.columns.get(rest) for entry in self.parts.get(first, ()))
        return any(codec is not None and codec.constant for codec in found)

    def holds_field(self, dotted: str) -> bool:
        """Whether the source has anything at `field` or `component.field`."""
        return dotted in self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """What a face gallery says of itself: governed values, stamped on every search."""

    model: str
    threshold: float
    notice: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One database or service of an agency, and its mapping."""

    id: str
    agency: str
    system: str
    connector: str
    connection: Mapping[str, Any]
    entities: Mapping[str, EntityMapping]
    timeout_s: float = 2.0
    max_rows: int = 200
    max_scan: int = 1000
    over_read: bool = False
    gallery: Gallery | None = None
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What exists and who has it."""

    vocabulary: Vocabulary
    sources: Mapping[str, Source]

    def holders(self, entity: str) -> tuple[Source, ...]:
        """The sources that map an entity, in the order of their ids."""
        return tuple(s for _, s in sorted(self.sources.items()) if entity in s.entities)

    def mapping(self, source: str, entity: str) -> EntityMapping:
        return self.sources[source].entities[entity]


_SOURCE_KEYS = {
    "version",
    "id",
    "agency",
    "system",
    "connector",
    "timeout_s",
    "max_rows",
    "max_scan",
}
_SOURCE_TABLES = {"over_read", "connection", "header", "entity", "gallery", "marking"}
_ENTRY_KEYS = {"relation", "by", "key", "each", "per_bit", "only", "sample", "over_read"}
_ENTITY_KEYS = {"relation", "only", "sample", "columns", "parts", "over_read"}


class _SourceReader:
    """Reads one mapping file and gathers its faults."""

    def __init__(self, data: Mapping[str, Any], vocabulary: Vocabulary, file: str) -> None:
        self.data = data
        self.vocabulary = vocabulary
        self.file = file
        self.faults: list[Fault] = []

    def fault(self, key: str, text: str) -> None:
        self.faults.append(Fault(file=self.file, key=key, text=text))

    def table(self, data: Mapping[str, Any], name: str, key: str) -> Mapping[str, Any]:
        """The table `name`, empty if there is none; anything else there is a fault."""
        held = data.get(name, {})
        if isinstance(held, dict):
            return held
        self.fault(key, "must be a table")
        return {}

    def number(self, name: str, default: float) -> float:
        value = self.data.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self.fault(name, "must be a number above 0")
            return default
        return value

    def gallery(self) -> Gallery | None:
        given = self.table(self.data, "gallery", "gallery")
        if not given:
            return None
        try:
            return Gallery(**given)
        except TypeError:
            self.fault("gallery", "says model, threshold, notice, and size if it is known")
            return None

    def codec(self, spec: Any, field: Field, key: str) -> Codec:
        enum = self.vocabulary.enums.get(field.type.name)
        if not isinstance(spec, str | dict):
            self.fault(key, "must be a column's name or a table")
            return constant(None)
        if field.derived:
            self.fault(key, "is worked out by the gateway: no source can map it")
        try:
            return codec(spec, field.type.name, enum=enum)
        except (ValueError, KeyError, TypeError) as error:
            self.fault(key, str(error))
            return constant(None)

    def condition(self, data: Any, key: str) -> Condition:
        """A condition in the source's names: `{ field, op, value }`, or a list (all hold)."""
        if data is None:
            return ALWAYS
        items = data if isinstance(data, list) else [data]
        try:
            parts = [
                from_json({"type": "field", "field": i["field"], "operator": i["op"]} | _value(i))
                for i in items
            ]
        except (ValueError, KeyError, TypeError):
            self.fault(key, "must be { field, op, value }, or a list of them")
            return ALWAYS
        return all_of(parts)

    def flat(
        self, data: Mapping[str, Any], fields: Mapping[str, Field], key: str
    ) -> Iterator[tuple[str, Codec]]:
        """The codecs of an entry, components in components by their dotted names."""
        for name, spec in data.items():
            field = fields.get(name)
            if field is None:
                self.fault(f"{key}.{name}", "the vocabulary has no such field")
            elif field.type.name in self.vocabulary.components:
                inner = self.vocabulary.components[field.type.name].fields
                if not isinstance(spec, dict) or set(spec) & KNOWN_KEYS:
                    self.fault(f"{key}.{name}", f"is a {field.type.name}: map its fields")
                    continue
                for rest, built in self.flat(spec, inner, f"{key}.{name}"):
                    yield f"{name}.{rest}", built
            else:
                yield name, self.codec(spec, field, f"{key}.{name}")

    def entry(self, data: Mapping[str, Any], component: str, key: str, over_read: bool) -> Entry:
        fields = self.vocabulary.components[component].fields
        own = {k: v for k, v in data.items() if k not in _ENTRY_KEYS}
        if data.get("relation") and not data.get("by"):
            self.fault(f"{key}.by", "a child relation says which column holds its owner's key")
        return Entry(
            columns=MappingProxyType(dict(self.flat(own, fields, key))),
            at=key,
            relation=data.get("relation"),
            by=str(data.get("by", "")),
            key=str(data.get("key", data.get("by", ""))),
            each=data.get("each"),
            per_bit=data.get("per_bit"),
            only=self.condition(data.get("only"), f"{key}.only"),
            sample=self.condition(data.get("sample"), f"{key}.sample"),
            over_read=bool(data.get("over_read", over_read)),
        )

    def entity(
        self, name: str, data: Mapping[str, Any], header: Mapping[str, Any]
    ) -> EntityMapping:
        key = f"entity.{name}"
        entity = self.vocabulary.entities[name]
        for unknown in sorted(set(data) - _ENTITY_KEYS):
            self.fault(f"{key}.{unknown}", "unknown key")
        over_read = bool(data.get("over_read", self.data.get("over_read", False)))
        specs = {**header, **self.table(data, "columns", f"{key}.columns")}
        columns: dict[str, Codec] = {}
        parts: dict[str, tuple[Entry, ...]] = {}
        for field_name, spec in specs.items():
            field = entity.fields.get(field_name)
            at = f"{key}.columns.{field_name}"
            if field is None:
                self.fault(at, "the vocabulary has no such field")
            elif field.type.name in self.vocabulary.components:
                if isinstance(spec, dict):
                    parts[field_name] = (self.entry(spec, field.type.name, at, over_read),)
                else:
                    self.fault(at, f"is a {field.type.name}: map its fields")
            else:
                columns[field_name] = self.codec(spec, field, at)
        for part, entries in self.table(data, "parts", f"{key}.parts").items():
            field = entity.fields.get(part)
            at = f"{key}.parts.{part}"
            if field is None or field.type.name not in self.vocabulary.components:
                self.fault(at, "the vocabulary has no such component")
                continue
            items = entries if isinstance(entries, list) else [entries]
            for n in (n for n, item in enumerate(items) if not isinstance(item, dict)):
                self.fault(f"{at}.{n}", "must be a table")
            parts[part] = tuple(
                self.entry(item, field.type.name, f"{at}.{n}", over_read)
                for n, item in enumerate(items)
                if isinstance(item, dict)
            )
        self.complete(entity, columns, key)
        self.silence(specs.get("conditions"), columns, key)
        if not data.get("relation"):
            self.fault(f"{key}.relation", "says which table, view or endpoint holds the entity")
        return EntityMapping(
            entity=name,
            relation=str(data.get("relation", "")),
            columns=MappingProxyType(columns),
            parts=MappingProxyType(parts),
            only=self.condition(data.get("only"), f"{key}.only"),
            sample=self.condition(data.get("sample"), f"{key}.sample"),
            over_read=over_read,
        )

    def complete(self, entity: Entity, columns: Mapping[str, Codec], key: str) -> None:
        """What rules and cases may rest on has a column or a constant in every mapping."""
        for name in sorted(self.vocabulary.header - set(columns)):
            self.fault(
                f"{key}.columns.{name}",
                "rules may rest on this field: map it, or give a constant in [header]",
            )
        native = columns.get("native_key")
        if native is not None and len(native.columns) != 1:
            self.fault(f"{key}.columns.native_key", "must be one column")

    def silence(self, spec: Any, columns: Mapping[str, Codec], key: str) -> None:
        """Where a condition may say SILENT, it makes the record silent."""
        meanings = spec.get("values", {}) if isinstance(spec, dict) else {}
        if not isinstance(meanings, dict) or "SILENT" not in meanings.values():
            return
        silent = columns.get("silent")  # that it must be there is told by `complete`
        if silent and not {*columns["conditions"].columns} <= {*silent.columns}:
            self.fault(
                f"{key}.columns.silent",
                "a condition may say SILENT: be true for it as well, by `any` and `contains`",
            )


def _value(item: Mapping[str, Any]) -> dict[str, Any]:
    return {} if item["op"] == "is_null" else {"value": item["value"]}


def read_source(
    data: Mapping[str, Any], vocabulary: Vocabulary, file: str
) -> tuple[Source | None, tuple[Fault, ...]]:
    """The source that a parsed mapping file declares, or None, and every fault of the file."""
    reader = _SourceReader(data, vocabulary, file)
    for unknown in sorted(set(data) - _SOURCE_KEYS - _SOURCE_TABLES):
        reader.fault(unknown, "unknown key")
    if data.get("version") != 1:
        reader.fault("version", "must be 1")
    for needed in ("id", "agency", "connector"):
        if not isinstance(data.get(needed), str):
            reader.fault(needed, "is needed, a text")
    if data.get("marking", "OS") not in {"O", "OS"}:
        reader.fault("marking", "anything above OFFICIAL-SENSITIVE is out of scope")
    entities: dict[str, EntityMapping] = {}
    header = reader.table(data, "header", "header")
    given = reader.table(data, "entity", "entity")
    for name in given:
        if name not in vocabulary.entities:
            reader.fault(f"entity.{name}", "the vocabulary has no such entity")
        elif item := reader.table(given, name, f"entity.{name}"):
            entities[name] = reader.entity(name, item, header)
    gallery = reader.gallery()
    connection = reader.table(data, "connection", "connection")
    timeout_s, max_rows = reader.number("timeout_s", 2.0), reader.number("max_rows", 200)
    max_scan = reader.number("max_scan", 5 * max_rows)
    if reader.faults:
        return None, tuple(reader.faults)
    source = Source(
        id=data["id"],
        agency=data["agency"],
        system=str(data.get("system", data["id"])),
        connector=data["connector"],
        connection=MappingProxyType(dict(connection)),
        entities=MappingProxyType(entities),
        timeout_s=float(timeout_s),
        max_rows=int(max_rows),
        max_scan=int(max_scan),
        over_read=bool(data.get("over_read", False)),
        gallery=gallery,
        file=file,
    )
    return source, ()


def read_catalogue(
    vocabulary: Vocabulary, files: Sequence[tuple[str, Mapping[str, Any]]]
) -> Catalogue:
    """The vocabulary with every source's mapping.

    Raises:
        ConfigError: with every fault of every file.
    """
    catalogue, faults = declared_catalogue(vocabulary, files)
    if faults:
        raise ConfigError(*faults)
    return catalogue


def declared_catalogue(
    vocabulary: Vocabulary, files: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[Catalogue, tuple[Fault, ...]]:
    """The vocabulary with each source whose file is in order, and every fault of the others."""
    sources: dict[str, Source] = {}
    faults: list[Fault] = []
    for file, data in files:
        source, found = read_source(data, vocabulary, file)
        faults.extend(found)
        if source is None:
            continue
        if source.id in sources:
            text = f"{source.id!r} is also the id in {sources[source.id].file}"
            faults.append(Fault(file=file, key="id", text=text))
        sources[source.id] = source
    return Catalogue(vocabulary=vocabulary, sources=MappingProxyType(sources)), tuple(faults)
