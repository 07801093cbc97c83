"""From a bound operation to everything that it would touch, before anybody has agreed to it.

A root field becomes one fetch for each source that holds its entity and can apply its criteria; a
nested link becomes one fetch under its parent, never one per row. Interfaces are expanded to their
concrete types first, so no rule is ever asked about an interface. The plan knows every response key
and every field whose value the rows depend on.

What is asked of whom is worked out for each query; what follows from that and the document alone,
which is most of it, is kept as a `Structure` and holds no value of any caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from connectors.conditions import NEVER, Condition, fields_of
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.schema import GIVEN
from gateway.catalogue.vocabulary import KEY, Link, Root
from gateway.errors import InvalidOperation, LimitExceeded
from gateway.model import (
    Fetch,
    FieldUse,
    Operation,
    Plan,
    RootPlan,
    Selection,
    Structure,
    Subject,
    Use,
)
from gateway.query.asking import Asked, Asking
from gateway.query.criteria import Criteria
from gateway.query.reading import MATCHED_ON, Reading, applicable
from gateway.query.refs import Refs
from gateway.settings import Limits

_LINKED, _MOST_LINKED = 20, 50  # linked records beneath one, unasked and at most
_LOOKED_AT = 50  # bearers of all the identifiers that would link: more of them link nobody
_KEPT = 64  # structures; with what is made of it one takes some 0.2 MB
_MATCHED = Selection(key="\0matches", name="match")  # a record is matched, and not told so

Moving: TypeAlias = Mapping[str, Callable[[Criteria], Condition]]
"""What linked fetches ask for where it follows from the moment of the question ("the last day")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """What planning needs beside the operation."""

    catalogue: Catalogue
    refs: Refs
    limits: Limits
    kept: OrderedDict[Hashable, tuple[Structure, Moving]] = field(default_factory=OrderedDict)

    def plan_for(self, operation: Operation, subject: Subject, now: datetime) -> Plan:
        """Everything that the operation would touch.

        Raises:
            InvalidOperation: criteria that cannot be used as they are.
            LimitExceeded: too many fetches, waves or sources.
            MalformedRequest: a cursor that is not for this question.
        """
        criteria = Criteria(self.catalogue.vocabulary, self.limits, now)
        asking = Asking(self.catalogue, self.refs, criteria, operation, subject, now)
        asked = tuple(
            asking.of(selection)
            for selection in operation.roots
            if not selection.name.startswith("__") and selection.name != "sources"
        )
        structure, moving = self._structure(operation, asked, criteria)
        now_asked = {fetch_id: where(criteria) for fetch_id, where in moving.items()}
        return _bound(structure, asked, now_asked, asking.cursor_serial)

    def _structure(
        self, operation: Operation, asked: tuple[Asked, ...], criteria: Criteria
    ) -> tuple[Structure, Moving]:
        key = (operation.outline, tuple(one.shape for one in asked))
        if operation.outline is not None and (kept := self.kept.get(key)) is not None:
            self.kept.move_to_end(key)
            return kept
        structuring = _Structuring(self, criteria)
        structure = structuring.of(asked)
        _check_size(structure, self.limits)
        if operation.outline is not None:
            self.kept[key] = structure, structuring.moving
            if len(self.kept) > _KEPT:
                self.kept.popitem(last=False)
        return structure, structuring.moving


def child(selections: Iterable[Selection], name: str) -> tuple[Selection, ...]:
    """What is selected below every selection of a field."""
    return tuple(
        s for selection in selections if selection.name == name for s in selection.selections
    )


def _check_size(structure: Structure, limits: Limits) -> None:
    for name, size, most in sizes(structure, limits):
        if size > most:
            raise LimitExceeded.of(name, most, size)


def sizes(plan: Structure | Plan, limits: Limits) -> tuple[tuple[str, int, int], ...]:
    """(limit, what the plan takes of it, its value) for each limit on what a plan may touch."""
    visits = (*plan.fetches, *plan.looks)
    depths: dict[str, int] = {}
    for fetch in plan.fetches:
        depths[fetch.id] = 1 + depths.get(fetch.parent or "", 0)
    return (
        ("fetches", len(visits), limits.fetches),
        ("waves", max(depths.values(), default=0), limits.waves),
        ("sources", len({fetch.source for fetch in visits}), limits.sources),
    )


def _bound(
    structure: Structure,
    asked: tuple[Asked, ...],
    now_asked: Mapping[str, Condition],
    cursor_serial: int | None,
) -> Plan:
    """The structure with the values that are asked for."""
    roots: list[RootPlan] = []
    fetches = {fetch.id: fetch for fetch in structure.fetches}
    bound = {name: replace(fetches[name], where=where) for name, where in now_asked.items()}
    for one, made in zip(asked, structure.roots, strict=True):
        for fetch_id in made:
            fetch = fetches[fetch_id]
            bound[fetch_id] = replace(
                fetch,
                where=one.where,
                after=one.after.get((fetch.source, fetch.entity)),
                near=one.near.get(fetch.source),
            )
        roots.append(
            RootPlan(
                key=one.selection.key,
                name=one.selection.name,
                selection=one.selection,
                fetches=made,
                where=one.where,
                not_held=one.not_held,
            )
        )
    return Plan(
        roots=tuple(roots),
        fetches=tuple(bound.get(fetch.id, fetch) for fetch in structure.fetches),
        looks=structure.looks,
        cursor_serial=cursor_serial,
        not_held=structure.not_held,
        structure=structure,
    )


def uses_of(asked: Asked) -> frozenset[FieldUse]:
    """What it rests on which records are found, how many are told of and which come next."""
    if asked.root.shape == "face":
        return frozenset({(Use.FACE, "likeness")})
    uses = {(Use.FILTER, field) for field in fields_of(asked.where)}
    if asked.root.shape == "hits":
        chosen = {selection.name for selection in asked.selection.selections}
        if "total" in chosen:
            uses.add((Use.COUNT, KEY))
        if "next" in chosen or asked.after:
            uses.add((Use.SORT, KEY))
    return frozenset(uses)


def _of_link(link: Link, args: Mapping[str, Any], entity: str, criteria: Criteria) -> Condition:
    return criteria.of_link(link, args, entity)


# --- what follows from it ------------------------------------------------------------------------


class _Structuring:
    """One structure in the making."""

    def __init__(self, planner: Planner, criteria: Criteria) -> None:
        self.catalogue = planner.catalogue
        self.vocabulary = planner.catalogue.vocabulary
        self.limits = planner.limits
        self.criteria = criteria
        self.fetches: list[Fetch] = []
        self.not_held: list[tuple[str, str]] = []
        self.moving: dict[str, Callable[[Criteria], Condition]] = {}

    def of(self, asked: Iterable[Asked]) -> Structure:
        asked = tuple(asked)
        roots = tuple(self.root(one) for one in asked)
        fetches = tuple(self.fetches)
        self.look(zip((one.root for one in asked), roots, strict=True))
        return Structure(
            roots=roots,
            fetches=fetches,
            looks=tuple(self.fetches[len(fetches) :]),
            not_held=tuple(dict.fromkeys(self.not_held)),
        )

    # --- roots ---

    def root(self, asked: Asked) -> tuple[str, ...]:
        """The fetches of one root field, without the values that are asked for."""
        inner, path = self.records(asked.root, asked.selection)
        uses = uses_of(asked)
        made: list[str] = []
        for source, entity in asked.visits:
            template = Fetch(
                id="",
                source=source,
                entity=entity,
                parts=(),
                where=NEVER,
                limit=asked.limit,
                root=asked.selection.key,
                path=path,
            )
            made.append(self.fetch(template, inner, uses))
        self.note_unheld(asked.root, inner, path, made)
        return tuple(made)

    def records(self, root: Root, selection: Selection) -> tuple[tuple[Selection, ...], str]:
        """What is selected of each record, and the response path of their list."""
        match root.shape:
            case "hits":
                inner, wrapper = child(selection.selections, "hits"), "hits"
                # What hangs on a person may depend on how surely it is that person, and what is
                # shown at all on whether any record of theirs says that they may be a child: so
                # records are matched whether or not the match itself was asked for.
                if root.matches:
                    inner = (*inner, _MATCHED)
            case "face":
                inner, wrapper = child(selection.selections, "candidates"), "candidates"
            case "list":
                return selection.selections, f"{selection.key}.*"
            case _:
                return selection.selections, selection.key
        keys = [s.key for s in selection.selections if s.name == wrapper]
        if len(keys) > 1:  # one list of records, one selection: else one would show the other's
            raise InvalidOperation(f"Select '{wrapper}' once: ask again for another view of it.")
        return inner, f"{selection.key}.{keys[0] if keys else wrapper}.*"

    # --- fetches ---

    def fetch(
        self, template: Fetch, selections: tuple[Selection, ...], uses: frozenset[FieldUse]
    ) -> str:
        """Add a fetch and, after it, those of its links; gives its id."""
        fetch_id = f"f{len(self.fetches)}"
        position = len(self.fetches)
        mapping = self.catalogue.mapping(template.source, template.entity)
        chosen = applicable(selections, template.entity)
        reading = Reading(self.vocabulary, template.entity, mapping)
        reading.own(chosen)
        fetch = replace(template, id=fetch_id, selections=chosen)
        self.fetches.append(fetch)
        links: dict[str, tuple[str, ...]] = {}
        for selection in chosen:
            link = self.vocabulary.entities[template.entity].links.get(selection.name)
            if link is not None:
                links[selection.key] = self.follow(fetch, link, selection)
                if links[selection.key]:
                    reading.linked_from(link.from_)
                    reading.told.update(self.revealed(link, template.entity))
        filtered = {dotted for use, dotted in uses if use is Use.FILTER}
        for dotted in sorted({template.link_by, *filtered}):
            if "." in dotted:
                reading.found_by(dotted)
        for use, dotted in uses:
            if use is Use.FILTER:
                reading.filtered(dotted)
            else:
                reading.use("", (use, dotted))
        self.fetches[position] = replace(
            fetch, parts=reading.parts(), told=reading.told_parts(), links=links
        )
        if len(self.fetches) > self.limits.fetches * 2:
            raise LimitExceeded.of("fetches", self.limits.fetches, "many more")
        return fetch_id

    def look(self, roots: Iterable[tuple[Root, tuple[str, ...]]]) -> None:
        """Add a visit of each source that is not searched and may know another bearer of an
        identifier: one that cannot apply the criteria, or that has given all its pages."""
        found = {fetch_id for root, made in roots if root.matches for fetch_id in made}
        matched = [f for f in self.fetches if f.id in found and f.matched]
        asked = {(f.source, f.entity) for f in matched}
        if len({source for source, _ in asked}) < 2:
            return  # one source links nobody
        for entity in sorted({f.entity for f in matched}):
            for source in self.catalogue.holders(entity):
                held = any(map(source.entities[entity].holds_field, MATCHED_ON))
                if held and (source.id, entity) not in asked:
                    # Of nobody, until there is an identifier to ask for.
                    template = Fetch(
                        id="",
                        source=source.id,
                        entity=entity,
                        parts=(),
                        where=NEVER,
                        limit=_LOOKED_AT,
                    )
                    self.fetch(template, (_MATCHED,), frozenset())

    def revealed(self, link: Link, entity: str) -> tuple[tuple[str, str], ...]:
        """What the link's records tell of the record that they hang on, as (part, field)."""
        contents = (self.vocabulary.contents(entity, name) for name in link.reveals)
        return tuple(at for found in contents for at in found)

    def follow(self, parent: Fetch, link: Link, selection: Selection) -> tuple[str, ...]:
        """The fetches that a link means: in the same source, or in every one for a shared key."""
        own = self.catalogue.mapping(parent.source, parent.entity)
        if not own.holds_field(link.from_):
            return ()
        given = selection.args.get("first")  # a null is no number of records
        limit = 1 if not link.to.many else _LINKED if given is None else given
        if not 1 <= limit <= _MOST_LINKED:
            raise LimitExceeded.of("first", _MOST_LINKED, limit)
        made: list[str] = []
        for entity in self.vocabulary.concrete(link.to.name):
            inner = applicable(selection.selections, entity)
            if not inner:
                continue
            asking = partial(_of_link, link, selection.args, entity)
            where = asking(self.criteria)
            moves = any(a.before_now for n, a in link.args.items() if n in selection.args)
            for source in self.catalogue.holders(entity):
                if not link.shared and source.id != parent.source:
                    continue
                mapping = source.entities[entity]
                needed = {link.by, *fields_of(where)}
                if not all(mapping.holds_field(f) for f in needed):
                    continue
                template = Fetch(
                    id="",
                    source=source.id,
                    entity=entity,
                    parts=(),
                    where=where,
                    limit=limit,
                    parent=parent.id,
                    link_from=link.from_,
                    link_by=link.by,
                    reveals=self.revealed(link, parent.entity),
                    root=parent.root,
                    path=f"{parent.path}.{selection.key}" + (".*" if link.to.many else ""),
                )
                uses = {(Use.LINK, link.by), *((Use.FILTER, f) for f in fields_of(where))}
                made.append(self.fetch(template, inner, frozenset(uses)))
                if moves:
                    self.moving[made[-1]] = asking
        return tuple(made)

    def note_unheld(
        self, root: Root, inner: tuple[Selection, ...], path: str, made: list[str]
    ) -> None:
        """Note what is selected of each record and no source of this answer holds."""
        fetches = [f for f in self.fetches if f.id in made]
        for entity in {f.entity for f in fetches}:
            mappings = [
                self.catalogue.mapping(f.source, entity) for f in fetches if f.entity == entity
            ]
            for selection in applicable(inner, entity):
                spec = self.vocabulary.entities[entity].fields.get(selection.name)
                link = self.vocabulary.entities[entity].links.get(selection.name)
                if link is not None:
                    held = any(f.links.get(selection.key) for f in fetches if f.entity == entity)
                elif spec is None or spec.derived or selection.name in GIVEN:
                    held = True
                else:
                    held = any(m.holds_field(selection.name) for m in mappings)
                if not held:
                    self.not_held.append((f"{path}.{selection.key}", selection.name))
