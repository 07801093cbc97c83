"""Every use that the vocabulary offers is asked of the rules by some operation.

A use that nothing asks is a rule that looks kept and is not. The operations are made of the
vocabulary: each criterion of each root, and all that can be selected down to two links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.policy.matrix.asking import NOW
from deploy.policy.reach import CATALOGUE
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.coordinates import offered
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import KEY, Argument, Root, Vocabulary
from gateway.model import Operation, Plan, Selection, Use
from gateway.query.plan import Planner
from gateway.settings import Limits
from tests.unit.query.world import REFS, SUBJECT

LIMITS: Final = Limits(fetches=10_000, sources=100)
LINKS: Final = 2  # one after the other: so every entity is reached, with all its own links
VALUES: Final = {
    "Boolean": True, "Int": 2, "DateTime": "2026-10-01T00:00:00Z", "PartialDate": "1991-04-17",
    "Duration": "P1D", "E164": "+447700900123", "Vrm": "AB12CDE", "Postcode": "TN28",
}  # fmt: skip
# Declared for what is to come, and asked by nothing yet: each goes from here when it is.
WAITING: Final = {
    # matched on, beside identifiers, once matching looks at names and dates
    ("Person", "match", "date_of_birth"), ("PersonName", "match", "family"),
    ("PersonName", "match", "given"), ("ContactPoint", "match", "value"),
    # criteria that no root has as an argument, or that no agency here can be asked by
    ("ContactPoint", "filter", "kind"), ("FaceCandidate", "filter", "subject"),
    ("ImageRef", "filter", "subject"), ("IntelligenceReport", "filter", "urn"),
    ("Location", "filter", "name"), ("Location", "filter", "town"),
    ("Person", "filter", "image_subject"), ("Sighting", "filter", "vrm"),
    # links that no agency here holds both ends of
    ("Contact", "link", "value"), ("ContactPoint", "link", "value"),
    ("DeviceSeen", "link", "phone"), ("Vehicle", "link", "keeper_key"),
    # a document's holder and its machine-readable lines, which no agency here holds
    ("DocumentSeen", "reveal", "documents"),
}  # fmt: skip


def value(argument: Argument, vocabulary: Vocabulary) -> Any:
    kind = argument.type.name
    one = vocabulary.enums[kind][0] if kind in vocabulary.enums else VALUES.get(kind, "Hodja")
    return [one] if argument.type.many else one


def criteria(vocabulary: Vocabulary, name: str) -> Iterator[Mapping[str, Any]]:
    """Each criterion of an input, beside one that is enough by itself."""
    given = {n: value(a, vocabulary) for n, a in vocabulary.inputs[name].items()}
    alone = next(n for n, a in vocabulary.inputs[name].items() if a.alone)
    for one, argument in vocabulary.inputs[name].items():
        if not argument.narrows_type:
            yield {n: given[n] for n in ({one} if argument.alone else {one, alone})}


def arguments(catalogue: Catalogue, root: Root) -> Iterator[Mapping[str, Any]]:
    """The ways to ask a root."""
    vocabulary = catalogue.vocabulary
    plain = {n: value(a, vocabulary) for n, a in root.args.items()}
    if root.shape == "face":
        yield {"probe": {"handle": "h"}}
    elif root.by_ref:
        for source in catalogue.holders(root.entity):
            yield {"ref": REFS.seal(SUBJECT.agency, source.id, root.entity, 1)}
    elif root.any_of:
        yield from ({"any_of": [one]} for one in criteria(vocabulary, root.any_of))
    elif root.by:
        yield from ({"by": one} for one in criteria(vocabulary, root.by))
    else:
        yield plain


def selected(vocabulary: Vocabulary, types: tuple[str, ...], links: int) -> tuple[Selection, ...]:
    """Everything that can be selected of some types, down to so many links."""
    made: dict[str, Selection] = {}
    for type_ in types:
        for name, field in vocabulary.fields_of(type_).items():
            inner: tuple[Selection, ...] = ()
            if field.type.name in vocabulary.components:
                inner = selected(vocabulary, (field.type.name,), 0)
            if not field.hidden:
                made[name] = Selection(key=name, name=name, selections=inner)
        entity = vocabulary.entities.get(type_)
        for name, link in entity.links.items() if entity and links else ():
            args = {n: value(a, vocabulary) for n, a in link.args.items()}
            beneath = selected(vocabulary, vocabulary.concrete(link.to.name), links - 1)
            made[name] = Selection(key=name, name=name, args=args, selections=beneath)
    return tuple(made.values())


def plans(catalogue: Catalogue) -> Iterator[Plan]:
    """What would be asked of the sources by one operation after the other."""
    planner = Planner(catalogue=catalogue, refs=REFS, limits=LIMITS)
    vocabulary = catalogue.vocabulary
    for root in vocabulary.roots.values():
        for n, args in enumerate(arguments(catalogue, root)):
            types = vocabulary.concrete(root.entity)
            records = selected(vocabulary, types, 0 if n else LINKS)
            if root.shape in {"hits", "face"}:
                list_ = "hits" if root.shape == "hits" else "candidates"
                inner = Selection(key=list_, name=list_, selections=records)
                records = (inner, *(Selection(key=k, name=k) for k in ("total", "next")))
            asked = Selection(key=root.name, name=root.name, args=args, selections=records)
            operation = Operation(
                digest="", text="", name=None, variables={}, roots=(asked,), justification=None
            )
            yield planner.plan_for(operation, SUBJECT, NOW)


def test_every_use_that_is_offered_is_asked() -> None:
    """A field's own uses, what it reveals, and of what comes in pages its number and order."""
    catalogue = load_catalogue(CATALOGUE)
    vocabulary = catalogue.vocabulary
    asked: set[tuple[str, str, str]] = set()
    for plan in plans(catalogue):
        for fetch in plan.visits:
            for part in fetch.parts:
                for use, dotted in part.uses:
                    way, _, name = dotted.rpartition(".")
                    inner = vocabulary.field_at(part.type, way).type.name if way else part.type
                    asked.add((inner, str(use), name))
    types = (*vocabulary.entities, *vocabulary.components)
    told = {(type_, *one) for type_ in types for one in offered(vocabulary, type_)}
    # A record's key is offered for every entity alike, whether or not a ref or a link leads there.
    alike = {(type_, use, KEY) for type_ in vocabulary.entities for use in ("filter", "link")}
    assert told - asked - alike == WAITING
    assert asked <= told
    assert {str(use) for use in Use} == {use for _, use, _ in asked}
