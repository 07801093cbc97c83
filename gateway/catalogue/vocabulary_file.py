"""The vocabulary as its file declares it, read strictly.

`read_vocabulary` turns the parsed TOML into frozen values and reports every fault at once;
`declared_vocabulary` gives what could be read beside them, so that other files are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gateway.catalogue.vocabulary import (
    CLASSES,
    EVERYTHING,
    MARKINGS,
    MASKS,
    SCALARS,
    SHAPES,
    USES,
    Argument,
    Component,
    Entity,
    Field,
    Link,
    Root,
    TypeRef,
    Vocabulary,
)
from gateway.errors import ConfigError, Fault
from gateway.model import Reveal

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_BANDED = frozenset({"WarningKind", "Int", "Float"})  # masks of these carry bands of their own


def type_ref(text: str) -> TypeRef:
    """Read "Name", "Name!", "[Name]" or "[Name!]".

    Raises:
        ValueError: it is none of these.
    """
    matched = re.fullmatch(r"(\[)?([A-Z][A-Za-z0-9]*)(!)?(\])?(!)?", text)
    if not matched or bool(matched[1]) != bool(matched[4]) or "!!" in text:
        raise ValueError(f"{text!r} is not a type")
    many = bool(matched[1])
    return TypeRef(name=matched[2], many=many, required=bool(matched[5] if many else matched[3]))


class _Reader:
    """Reads one file and gathers its faults."""

    def __init__(self, data: Mapping[str, Any], file: str) -> None:
        self.data = data
        self.file = file
        self.faults: list[Fault] = []

    def fault(self, key: str, text: str) -> None:
        self.faults.append(Fault(file=self.file, key=key, text=text))

    def table(self, data: Mapping[str, Any], key: str, known: set[str]) -> Mapping[str, Any]:
        for unknown in sorted(set(data) - known):
            self.fault(f"{key}.{unknown}", f"unknown key; known are {', '.join(sorted(known))}")
        return data

    def each(self, data: Mapping[str, Any], name: str, key: str) -> list[tuple[str, Any]]:
        """The tables in the table `name`; what is no table is a fault."""
        held = data.get(name, {}) if isinstance(data, dict) else None
        if not isinstance(held, dict):
            self.fault(key, "must be a table")
            return []
        for inner, item in held.items():
            if not isinstance(item, dict):
                self.fault(f"{key}.{inner}", "must be a table")
        return [(inner, item) for inner, item in held.items() if isinstance(item, dict)]

    def words(self, name: str) -> dict[str, tuple[str, ...]]:
        """The lists of texts in the table `name`."""
        held = self.data.get(name, {})
        if not isinstance(held, dict):
            self.fault(name, "must be a table")
            return {}
        made: dict[str, tuple[str, ...]] = {}
        for inner, items in held.items():
            if isinstance(items, list) and all(isinstance(item, str) for item in items):
                made[inner] = tuple(items)
            else:
                self.fault(f"{name}.{inner}", "must be a list of texts")
        return made

    def type(self, text: Any, key: str) -> TypeRef:
        try:
            return type_ref(str(text))
        except ValueError as error:
            self.fault(key, str(error))
            return TypeRef(name="String")

    def name(self, name: str, key: str) -> None:
        if not _NAME.match(name):
            self.fault(key, "names are snake_case")

    def field(self, name: str, data: Mapping[str, Any], key: str) -> Field:
        self.name(name, key)
        known = {"type", "marking", "class", "masks", "uses", "reveals", "derived", "from", "bands"}
        self.table(data, key, known | {"coarse_by", "hidden", "guard", "doc"})
        if data.get("marking") not in MARKINGS:
            self.fault(f"{key}.marking", "each field needs a marking: O or OS")
        if data.get("class") not in CLASSES:
            self.fault(f"{key}.class", f"each field needs a class: {', '.join(CLASSES)}")
        for group, allowed in (("masks", MASKS), ("uses", USES)):
            for item in sorted(set(data.get(group, ())) - allowed):
                self.fault(f"{key}.{group}", f"{item!r} is unknown")
        bands = {k: tuple(v) for k, v in data.get("bands", {}).items()}
        if "BAND" in data.get("masks", ()) and not bands and data.get("type") not in _BANDED:
            self.fault(f"{key}.bands", "a field with the mask BAND says its bands")
        return Field(
            name=name,
            type=self.type(data.get("type", ""), f"{key}.type"),
            marking=data.get("marking", "OS"),
            sens=data.get("class", "S5"),
            masks=frozenset(data.get("masks", ())),
            uses=frozenset(data.get("uses", ())),
            reveals=tuple(self.reveals(data, f"{key}.reveals")),
            derived=data.get("derived"),
            from_=tuple(data.get("from", ())),
            coarse_by=tuple(data.get("coarse_by", ())),
            bands=MappingProxyType(bands),
            hidden=data.get("hidden", False),
            guard=data.get("guard", False),
            doc=data.get("doc", ""),
        )

    def reveals(self, data: Mapping[str, Any], key: str) -> Iterator[Reveal]:
        """What the field reveals; an item that is not read as meant would protect nothing."""
        items = data.get("reveals", [])
        if not isinstance(items, list):
            self.fault(key, "must be a list of tables")
            return
        for item in items:
            fields = item.get("fields") if isinstance(item, dict) else None
            if not isinstance(fields, list) or not fields:
                self.fault(key, "each says its fields, a list of names of the record")
                continue
            self.table(item, key, {"fields", "when_kind"})
            yield Reveal(fields=tuple(map(str, fields)), when_kind=item.get("when_kind"))

    def fields(self, data: Mapping[str, Any], key: str) -> dict[str, Field]:
        key = f"{key}.fields"
        return {n: self.field(n, spec, f"{key}.{n}") for n, spec in self.each(data, "fields", key)}

    def argument(self, name: str, data: Mapping[str, Any], key: str) -> Argument:
        self.name(name, key)
        known = {"type", "on", "op", "min_length", "alone", "before_now", "narrows_type"}
        self.table(data, key, known)
        if data.get("op") not in {"eq", "in", "startswith", "lt", "lte", "gt", "gte"}:
            self.fault(f"{key}.op", "must be eq, in, startswith, lt, lte, gt or gte")
        return Argument(
            name=name,
            type=self.type(data.get("type", ""), f"{key}.type"),
            on=str(data.get("on", "")),
            op=str(data.get("op", "eq")),
            min_length=int(data.get("min_length", 0)),
            alone=bool(data.get("alone", True)),
            before_now=bool(data.get("before_now", False)),
            narrows_type=bool(data.get("narrows_type", False)),
        )

    def arguments(self, data: Mapping[str, Any], name: str, key: str) -> Mapping[str, Argument]:
        return {n: self.argument(n, item, f"{key}.{n}") for n, item in self.each(data, name, key)}

    def link(self, name: str, data: Mapping[str, Any], key: str) -> Link:
        self.name(name, key)
        known = {"to", "from", "by", "scope", "marking", "class", "args", "reveals"}
        self.table(data, key, known)
        if data.get("scope") not in {"same", "all"}:
            self.fault(f"{key}.scope", "must be same (a key of the source) or all (a shared one)")
        if data.get("marking") not in MARKINGS or data.get("class") not in CLASSES:
            self.fault(key, "each link needs a marking and a class")
        return Link(
            name=name,
            to=self.type(data.get("to", ""), f"{key}.to"),
            from_=str(data.get("from", "")),
            by=str(data.get("by", "")),
            shared=data.get("scope") == "all",
            marking=data.get("marking", "OS"),
            sens=data.get("class", "S5"),
            args=self.arguments(data, "args", f"{key}.args"),
            reveals=tuple(map(str, data.get("reveals", ()))),
        )

    def component(self, name: str, data: Mapping[str, Any]) -> Component:
        return Component(name=name, fields=self.fields(data, f"component.{name}"))

    def entity(self, name: str, data: Mapping[str, Any], header: Mapping[str, Field]) -> Entity:
        key = f"entity.{name}.links"
        return Entity(
            name=name,
            doc=data.get("doc", ""),
            fields={**header, **self.fields(data, f"entity.{name}")},
            links={n: self.link(n, s, f"{key}.{n}") for n, s in self.each(data, "links", key)},
        )

    def root(self, name: str, data: Mapping[str, Any]) -> Root:
        key = f"query.{name}"
        self.name(name, key)
        known = {"doc", "entity", "shape", "args", "by", "any_of", "by_ref", "matches"}
        self.table(data, key, known | {"default_first", "max_first"})
        if data.get("shape") not in SHAPES:
            self.fault(f"{key}.shape", f"must be one of {', '.join(sorted(SHAPES))}")
        return Root(
            name=name,
            doc=data.get("doc", ""),
            entity=data.get("entity", ""),
            shape=data.get("shape", "list"),
            args=self.arguments(data, "args", f"{key}.args"),
            by=data.get("by"),
            any_of=data.get("any_of"),
            by_ref=data.get("by_ref", False),
            matches=data.get("matches", False),
            default_first=data.get("default_first", 20),
            max_first=data.get("max_first", 50),
        )


def read_vocabulary(data: Mapping[str, Any], file: str = "entities.toml") -> Vocabulary:
    """The vocabulary that a parsed file declares.

    Raises:
        ConfigError: with every fault of the file, by key.
    """
    vocabulary, faults = declared_vocabulary(data, file)
    if faults:
        raise ConfigError(*faults)
    return vocabulary


def declared_vocabulary(data: Mapping[str, Any], file: str) -> tuple[Vocabulary, tuple[Fault, ...]]:
    """The vocabulary as far as the file can be read, and every fault of it, by key."""
    reader = _Reader(data, file)
    reader.table(
        data,
        "",
        {"version", "enum", "header", "component", "entity", "interface", "input", "query"},
    )
    if data.get("version") != 1:
        reader.fault("version", "must be 1")
    header = reader.fields(data.get("header", {}), "header")
    interfaces = reader.words("interface")
    enums = reader.words("enum")
    enums["EventKind"] = tuple(member.upper() for member in interfaces.get("Event", ()))
    vocabulary = Vocabulary(
        enums=enums,
        components={
            name: reader.component(name, item)
            for name, item in reader.each(data, "component", "component")
        },
        entities={
            name: reader.entity(name, item, header)
            for name, item in reader.each(data, "entity", "entity")
        },
        interfaces=interfaces,
        inputs={
            name: reader.arguments({name: item}, name, f"input.{name}")
            for name, item in reader.each(data, "input", "input")
        },
        roots={name: reader.root(name, item) for name, item in reader.each(data, "query", "query")},
        header=frozenset(header),
    )
    _check_references(vocabulary, reader)
    _check_reveals(vocabulary, reader)
    _check_coarse(vocabulary, reader)
    whole = replace(
        vocabulary,
        derived=MappingProxyType(dict(_derived(vocabulary))),
        reveals=MappingProxyType(dict(_reveals(vocabulary))),
    )
    return whole, tuple(reader.faults)


def _derived(vocabulary: Vocabulary) -> list[tuple[tuple[str, str], tuple[str, ...]]]:
    return [
        ((name, field.name), field.from_)
        for _, types in _typed(vocabulary)
        for name, owner in types.items()
        for field in owner.fields.values()
        if field.derived
    ]


def _reveals(vocabulary: Vocabulary) -> list[tuple[tuple[str, str], tuple[Reveal, ...]]]:
    return [
        ((name, field.name), field.reveals)
        for _, types in _typed(vocabulary)
        for name, owner in types.items()
        for field in owner.fields.values()
        if field.reveals
    ]


def _typed(
    vocabulary: Vocabulary,
) -> tuple[tuple[str, Mapping[str, Entity | Component]], ...]:
    return (("entity", vocabulary.entities), ("component", vocabulary.components))


def _check_reveals(vocabulary: Vocabulary, reader: _Reader) -> None:
    """A field reveals fields of each record that it stands in, at kinds that there are."""
    for kind, types in _typed(vocabulary):
        for type_name, item in types.items():
            records = [e for e in vocabulary.entities if type_name in (e, *_within(vocabulary, e))]
            for field in item.fields.values():
                key = f"{kind}.{type_name}.fields.{field.name}.reveals"
                for reveal in field.reveals:
                    _check_kind(vocabulary, reader, item.fields, reveal.when_kind, key)
                    for entity in records:
                        for name in set(reveal.fields) - {EVERYTHING}:
                            if name not in vocabulary.entities[entity].fields:
                                reader.fault(key, f"{entity} has no field {name}")


def _check_coarse(vocabulary: Vocabulary, reader: _Reader) -> None:
    """What is told in a field's stead stands in a component of the same record, "point.lat"."""
    for name, entity in vocabulary.entities.items():
        for field in entity.fields.values():
            for dotted in field.coarse_by:
                part, _, inner = dotted.partition(".")
                type_ = entity.fields[part].type.name if part in entity.fields else ""
                known = vocabulary.components.get(type_)
                if known is None or inner not in known.fields:
                    key = f"entity.{name}.fields.{field.name}.coarse_by"
                    reader.fault(key, f"no component of {name} has {dotted}")


def _check_kind(
    vocabulary: Vocabulary,
    reader: _Reader,
    fields: Mapping[str, Field],
    kind: str | None,
    key: str,
) -> None:
    if kind is not None:
        named = fields["kind"].type.name if "kind" in fields else ""
        if kind not in vocabulary.enums.get(named, ()):
            reader.fault(f"{key}.when_kind", f"{kind!r} is no kind of what the field stands in")


def _within(vocabulary: Vocabulary, type_name: str) -> Iterator[str]:
    """The components that a type holds, and those that they hold."""
    for field in vocabulary.fields_of(type_name).values():
        if field.type.name in vocabulary.components:
            yield field.type.name
            yield from _within(vocabulary, field.type.name)


def _check_references(vocabulary: Vocabulary, reader: _Reader) -> None:
    """Every name that is used must exist."""
    known = SCALARS | set(vocabulary.enums) | set(vocabulary.components)
    for kind, types in _typed(vocabulary):
        for type_name, item in types.items():
            for field in item.fields.values():
                if field.type.name not in known:
                    reader.fault(
                        f"{kind}.{type_name}.fields.{field.name}.type",
                        f"{field.type.name} does not exist",
                    )
                for path in field.from_:
                    key = f"{kind}.{type_name}.fields.{field.name}.from"
                    _check_path(vocabulary, reader, type_name, path, key)
    for entity in vocabulary.entities.values():
        for link in entity.links.values():
            key = f"entity.{entity.name}.links.{link.name}"
            _check_path(vocabulary, reader, entity.name, link.from_, f"{key}.from")
            for told in link.reveals:
                _check_path(vocabulary, reader, entity.name, told, f"{key}.reveals")
            for target in vocabulary.concrete(link.to.name):
                if target not in vocabulary.entities:
                    reader.fault(f"{key}.to", f"{target} does not exist")
                    continue
                for path in (link.by, *(a.on for a in link.args.values())):
                    _check_path(vocabulary, reader, target, path, f"{key}.by")
    for root in vocabulary.roots.values():
        for name in (root.by, root.any_of):
            if name is not None and name not in vocabulary.inputs:
                reader.fault(f"query.{root.name}", f"the input {name} does not exist")
        targets = vocabulary.concrete(root.entity)
        for target in targets:
            if target not in vocabulary.entities:
                reader.fault(f"query.{root.name}.entity", f"{target} does not exist")
        held = [target for target in targets if target in vocabulary.entities]
        places = [(f"query.{root.name}.args", root.args)]
        places += [
            (f"input.{name}", vocabulary.inputs.get(name, {}))
            for name in (root.by, root.any_of)
            if name is not None
        ]
        for key, arguments in places:
            _check_arguments(vocabulary, reader, held, arguments, key)


def _check_arguments(
    vocabulary: Vocabulary,
    reader: _Reader,
    entities: list[str],
    arguments: Mapping[str, Argument],
    key: str,
) -> None:
    """Each criterion looks at a field that at least one of the entities has."""
    known = SCALARS | set(vocabulary.enums)
    for argument in arguments.values():
        if argument.type.name not in known:
            reader.fault(f"{key}.{argument.name}.type", f"{argument.type.name} does not exist")
        if entities and not argument.narrows_type:
            found = [entity for entity in entities if _has(vocabulary, entity, argument.on)]
            if not found:
                text = f"{' or '.join(entities)} has no field {argument.on}"
                reader.fault(f"{key}.{argument.name}.on", text)


def _has(vocabulary: Vocabulary, type_name: str, path: str) -> bool:
    try:
        vocabulary.field_at(type_name, path)
    except KeyError:
        return False
    return True


def _check_path(
    vocabulary: Vocabulary, reader: _Reader, type_name: str, path: str, key: str
) -> None:
    if not _has(vocabulary, type_name, path):
        reader.fault(key, f"{type_name} has no field {path}")
