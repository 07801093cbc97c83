"""How a component of a record is shown: its elements, that some exist, how many, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.conditions import ALWAYS
from gateway.catalogue.vocabulary import Field
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    WHOLE,
    Fetch,
    Grant,
    Outcome,
    PartGrant,
    Place,
    Selection,
    Show,
)
from gateway.query.cases import Held, Owner, Values, compiled, manner_by
from gateway.query.fields import (
    DROP,
    Build,
    Builds,
    Constant,
    Fields,
    maker,
    nothing,
    withheld,
)
from gateway.query.match import Explanation, Identity
from gateway.query.reading import applicable
from gateway.query.said import Event


@dataclass(slots=True, kw_only=True)
class Components(Fields):
    """One answer in the making, with the components of its records."""

    explanations: dict[Identity, Explanation] = field(default_factory=dict)

    def component(
        self, grant: Grant, path: str, selection: Selection, spec: Field, pattern: str
    ) -> Build:
        """A component at `path` of its record: its elements, or what may be said of them."""
        fetch, key, many = grant.fetch, selection.key, spec.type.many
        part = grant.parts.get(path)
        if part is None or part.show is Show.SILENT:
            return nothing(many)
        if part.show is None:
            event = self.event(fetch, Outcome.WITHHELD, part.note())
            return withheld(self.teller(fetch, pattern), event, many)
        elements = self.elements(grant, path, spec)
        if part.show is not Show.RECORDS:
            return self.told(fetch, part, pattern, key, many, elements)
        make = maker(self.element(grant, path, selection, spec, pattern + (".*" if many else "")))
        # Where rows are chosen elements may be missing: said in every answer, whatever is held.
        chosen = part.standing if part.rows != ALWAYS else None
        standing = self.event(fetch, Outcome.WITHHELD, chosen) if chosen else None
        hit_event = self.event(fetch, Outcome.HIT, part.note(WHOLE))
        limit, tell = part.limit, self.teller(fetch, pattern)
        told = self.anchored(self.agreed.grants[fetch.id], part, selection)
        fields = self.shaping.catalogue.vocabulary.fields_of(part.part.type)
        whole = manner_by(part.whole, fields)

        def build(values: Values, at: Place, owner: Owner) -> Any:
            place = (at, key)
            made: list[Any] = []
            hit = False
            for element in elements(values, owner)[:limit]:
                where = (place, len(made)) if many else place
                open_ = whole(element, owner) == CLEAR and told(element, owner)
                value = make(element, where, owner) if open_ else DROP
                if value is DROP:
                    hit = True
                else:
                    made.append(value)
            if hit or standing is not None:
                tell(at, hit_event if hit else standing)
            return made if many else (made[0] if made else None)

        return build

    def elements(
        self, grant: Grant, path: str, spec: Field
    ) -> Callable[[Values, Owner], Sequence[Values]]:
        """Where the elements of the component at `path` stand, as policy's rows leave them."""
        if path == "match":
            return lambda _values, owner: [self.explanation(grant.fetch, owner)]
        if "." not in path:
            return lambda values, _owner: values.get(path) or ()
        # A component in a component stands in the same element, under dotted names.
        inside = f"{spec.name}."
        meets = compiled(grant.parts[path].rows, Held)

        def inner(values: Values, owner: Owner) -> Sequence[Values]:
            own = {n[len(inside) :]: v for n, v in values.items() if n.startswith(inside)}
            held = any(v is not None for v in own.values())
            return (own,) if held and meets(own, owner) else ()

        return inner

    def element(
        self, grant: Grant, path: str, selection: Selection, spec: Field, pattern: str
    ) -> Builds:
        """The functions that make one element of the component at `path`."""
        vocabulary = self.shaping.catalogue.vocabulary
        component = vocabulary.components[spec.type.name]
        part = grant.parts[path]
        made: Builds = []
        for inner in applicable(selection.selections, component.name):
            if inner.name == "__typename":
                made.append((inner.key, Constant(component.name)))
                continue
            inner_spec = component.fields[inner.name]
            at = f"{pattern}.{inner.key}"
            if inner_spec.type.name == "MatchFeature":
                build = self.features(part, grant.fetch, inner, inner_spec, at)
            elif inner_spec.type.name in vocabulary.components:
                build = self.component(grant, f"{path}.{inner.name}", inner, inner_spec, at)
            else:
                build = self.scalar(part, grant.fetch, inner_spec, at)
            made.append((inner.key, build))
        return made

    def anchored(
        self, grant: Grant, part: PartGrant, selection: Selection
    ) -> Callable[[Values, Owner], bool]:
        """Whether an element of which nothing is selected may be told of; if not it is a hit."""
        chosen = applicable(selection.selections, part.part.type)
        if any(inner.name != "__typename" for inner in chosen):
            return lambda _values, _owner: True
        manners = [self.manner_of(grant, part, name) for name in sorted(part.part.reads)]

        def told(values: Values, owner: Owner) -> bool:
            shown = [manner_of(values, owner) for manner_of in manners]
            return None not in shown and HIT_ONLY not in shown

        return told

    def told(
        self,
        fetch: Fetch,
        part: PartGrant,
        pattern: str,
        key: str,
        many: bool,
        elements: Callable[[Values, Owner], Sequence[Values]],
    ) -> Build:
        """Only that something exists, or how many: the elements stay here."""
        tell = self.teller(fetch, pattern)

        def build(values: Values, at: Place, owner: Owner) -> Any:
            found = elements(values, owner)
            tell(at, self.counted(fetch, part, found) if found else None)
            return [] if many else None

        return build

    # --- how a record stands to the others ---

    def explanation(self, fetch: Fetch, owner: Owner) -> Values:
        found = self.explanations.get((fetch.id, owner.record.key), Explanation())
        return {
            "score": found.score,
            "band": found.band,
            "reason": found.reason,
            "features": [
                {"name": f.name, "weight": f.weight, "used": f.used, "withheld": f.withheld}
                for f in found.features
            ],
        }

    def features(
        self, part: PartGrant, fetch: Fetch, selection: Selection, spec: Field, path: str
    ) -> Build:
        """What spoke for and against, decided as one field."""
        whole = self.scalar(part, fetch, spec, path)
        chosen = applicable(selection.selections, "MatchFeature")

        def build(values: Values, at: Place, owner: Owner) -> Any:
            found = whole(values, at, owner)
            if found is DROP:
                return DROP
            return [
                {s.key: "MatchFeature" if s.name == "__typename" else f[s.name] for s in chosen}
                for f in found or ()
            ]

        return build

    def counted(self, fetch: Fetch, part: PartGrant, found: Sequence[Values]) -> Event:
        """That something exists, or how many there are."""
        if part.show is Show.HIT:
            return self.event(fetch, Outcome.HIT, part.note())
        counts = [str(len(found))]
        counts += [f"{n} {sum(1 for e in found if e.get(n) is True)}" for n in sorted(part.count)]
        return self.event(fetch, Outcome.MASKED, part.note(), "COUNT_ONLY", ", ".join(counts))
