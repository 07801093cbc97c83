"""What one fetch reads, part by part, and what its rows depend on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from gateway.catalogue.mapping import EntityMapping
from gateway.catalogue.vocabulary import Component, Field, Vocabulary
from gateway.model import FieldUse, Part, Selection, Use

MATCHED_ON = ("identifiers.kind", "identifiers.value")
"""What matching looks at: only an identifier that two records share links them."""


def applicable(selections: Iterable[Selection], type_name: str) -> tuple[Selection, ...]:
    """The selections that apply to a concrete type, those of one response key merged."""
    merged: dict[str, Selection] = {}
    for selection in selections:
        if selection.on is not None and type_name not in selection.on:
            continue
        if (before := merged.get(selection.key)) is not None:
            below = (*before.selections, *selection.selections)
            merged[selection.key] = replace(before, selections=below)
        else:
            merged[selection.key] = (
                selection if selection.on is None else replace(selection, on=None)
            )
    return tuple(merged.values())


class Reading:
    """Gathers the parts of one fetch: what is read of each, and what its rows depend on."""

    def __init__(self, vocabulary: Vocabulary, entity: str, mapping: EntityMapping) -> None:
        self.vocabulary = vocabulary
        self.entity = entity
        self.mapping = mapping
        self.reads: dict[str, set[str]] = {"": set()}
        self.uses: dict[str, set[FieldUse]] = {"": set()}
        self.filters: dict[str, set[str]] = {"": set()}
        self.types: dict[str, str] = {"": entity}
        self.told: set[tuple[str, str]] = set()  # (part, field) that something read tells

    def use(self, path: str, use: FieldUse) -> None:
        self.uses[path].add(use)

    def own(self, selections: tuple[Selection, ...]) -> None:
        """What is selected, and always `ref`: without leave to name it a record is a hit, and so
        are what the gateway itself says of it and the records that hang on it."""
        fields = self.vocabulary.entities[self.entity].fields
        self.reads[""].add("ref")
        for selection in selections:
            if field := fields.get(selection.name):
                self._field("", field, selection)

    def _part(self, path: str, type_name: str) -> None:
        if path not in self.types:
            self.types[path] = type_name
            self.reads[path] = set()
            self.filters[path] = set()
            # Where a number is all that may be told, these may be counted beside the total.
            self.uses[path] = {
                (Use.COUNT, field.name)
                for field in self.vocabulary.fields_of(type_name).values()
                if "count" in field.uses and self.mapping.holds_field(f"{path}.{field.name}")
            }

    def _field(self, path: str, field: Field, selection: Selection) -> None:
        dotted = f"{path}.{field.name}" if path else field.name
        component = self.vocabulary.components.get(field.type.name)
        if field.derived:
            self._derived(path, field, selection)
        elif not self.mapping.holds_field(dotted):
            return
        elif component is None:
            self.reads[path].add(field.name)
            for revealed in (name for reveal in field.reveals for name in reveal.fields):
                self.use(path, (Use.REVEAL, revealed))
                self.told.update(self.vocabulary.contents(self.entity, revealed))
        else:
            self._part(dotted, component.name)
            chosen = applicable(selection.selections, component.name)
            for inner in chosen:
                if spec := component.fields.get(inner.name):
                    self._field(dotted, spec, inner)
            if all(inner.name == "__typename" for inner in chosen):
                self._anchor(dotted, component)

    def _anchor(self, path: str, component: Component) -> None:
        """Where nothing of an element is selected, its first field decides whether it is told."""
        names = (f.name for f in component.fields.values() if not f.hidden)
        held = (name for name in names if self.mapping.holds_field(f"{path}.{name}"))
        self.reads[path].update(itertools.islice(held, 1))

    def _derived(self, path: str, field: Field, selection: Selection) -> None:
        """A derived field is read with everything that it is worked out from."""
        if field.name == "match":
            self._match(selection)
            return
        for source in field.from_:
            dotted = f"{path}.{source}" if path else source
            if self.mapping.holds_field(dotted):
                self._from_field(dotted)
        self.reads[path].add(field.name)

    def _from_field(self, dotted: str) -> None:
        owner, _, name = dotted.rpartition(".")
        if owner:
            kind = self.vocabulary.field_at(self.entity, owner).type.name
            self._part(owner, kind)
        self.reads[owner].add(name)

    def _match(self, selection: Selection) -> None:
        self._part("match", "MatchExplanation")
        for inner in applicable(selection.selections, "MatchExplanation"):
            self.reads["match"].add(inner.name)
        for dotted in MATCHED_ON:
            owner, _, name = dotted.rpartition(".")
            if self.mapping.holds_field(dotted):
                self._part(owner, self.vocabulary.field_at(self.entity, owner).type.name)
                self.use(owner, (Use.MATCH, name))

    def found_by(self, dotted: str) -> None:
        """A record is found by those of its elements that may be seen: policy is asked of them."""
        owner = dotted.rpartition(".")[0]
        if self.mapping.holds_field(dotted):
            self._part(owner, self.vocabulary.field_at(self.entity, owner).type.name)

    def linked_from(self, dotted: str) -> None:
        """Records hang on this field. On a component's, on those of its elements that may be seen:
        policy is asked of them."""
        self.use("", (Use.LINK, dotted))
        if "." in dotted:
            self.found_by(dotted)

    def filtered(self, dotted: str) -> None:
        """Rows are filtered by this field: policy is asked how it is read, so that it is asked for
        no finer than it is shown, and whether it may be all the same."""
        self.use("", (Use.FILTER, dotted))
        if not self.mapping.holds_field(dotted):
            return
        field = self.vocabulary.field_at(self.entity, dotted)
        if "identify" in field.uses:
            self.use("", (Use.IDENTIFY, dotted))
        if not field.hidden:
            self.filters[dotted.rpartition(".")[0]].add(field.name)

    def parts(self) -> tuple[Part, ...]:
        return tuple(
            Part(
                path=path,
                type=type_name,
                reads=frozenset(self.reads[path]),
                uses=frozenset(self.uses[path]),
                filters=frozenset(self.filters[path]).union(f for p, f in self.told if p == path),
            )
            for path, type_name in self.types.items()
        )

    def told_parts(self) -> tuple[Part, ...]:
        """The parts of which nothing is read, and which something read tells."""
        return told_parts(self.vocabulary, self.entity, self.told, self.types)


def told_parts(
    vocabulary: Vocabulary, entity: str, told: Iterable[tuple[str, str]], known: Iterable[str]
) -> tuple[Part, ...]:
    """The parts in which told fields stand, but for those that are known already: policy is asked
    how they are shown, so that what tells them is shown no finer."""
    fields: dict[str, set[str]] = {}
    for path, field in told:
        fields.setdefault(path, set()).add(field)
    return tuple(
        Part(
            path=path,
            type=vocabulary.field_at(entity, path).type.name,
            filters=frozenset(fields[path]),
        )
        for path in sorted(fields.keys() - set(known))
    )
