"""From a bound operation to everything that it would touch, before anybody has agreed to it.

A root field becomes one fetch for each source that holds its entity and can apply its criteria; a
nested link becomes one fetch under its parent, never one per row. Interfaces are expanded to their
concrete types first, so no rule is ever asked about an interface. The plan knows every response key
and every field whose value the rows depend on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.conditions import ALWAYS, NEVER, Compare, Condition, Op, fields_of
from gateway.catalogue.mapping import Catalogue, Source
from gateway.catalogue.schema import GIVEN, camel
from gateway.catalogue.vocabulary import Link, Root
from gateway.errors import InvalidOperation, LimitExceeded, MalformedRequest
from gateway.model import (
    Fetch,
    FieldUse,
    Near,
    Operation,
    Plan,
    RootPlan,
    Selection,
    Subject,
    Use,
)
from gateway.query.criteria import Criteria
from gateway.query.reading import MATCHED_ON, Reading, applicable
from gateway.query.refs import Cursor, Refs, binding
from gateway.query.translate import askable
from gateway.settings import Limits

_LINKED, _MOST_LINKED = 20, 50  # linked records beneath one, unasked and at most
_LOOKED_AT = 50  # bearers of all the identifiers that would link: more of them link nobody
_MATCHED = Selection(key="\0matches", name="match")  # a record is matched, and not told so


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """What planning needs beside the operation."""

    catalogue: Catalogue
    refs: Refs
    limits: Limits

    def plan_for(self, operation: Operation, subject: Subject, now: datetime) -> Plan:
        """Everything that the operation would touch.

        Raises:
            InvalidOperation: criteria that cannot be used as they are.
            LimitExceeded: too many fetches, waves or sources.
            MalformedRequest: a cursor that is not for this question.
        """
        plan = _Planning(self, operation, subject, now).plan()
        _check_size(plan, self.limits)
        return plan


def child(selections: Iterable[Selection], name: str) -> tuple[Selection, ...]:
    """What is selected below every selection of a field."""
    return tuple(
        s for selection in selections if selection.name == name for s in selection.selections
    )


def cursor_binding(operation: Operation, subject: Subject, selection: Selection) -> bytes:
    """What ties a cursor to this subject, this purpose and this field of this question.

    The question is all that was asked, its variables in place, but for the cursors themselves: the
    next page is asked by nothing else than a new `after`, in a variable or in the document.
    """
    purpose = operation.justification.purpose if operation.justification else ""
    roots = [
        replace(root, args={name: value for name, value in root.args.items() if name != "after"})
        for root in operation.roots
    ]
    asked = json.dumps([_plainly(root) for root in roots], sort_keys=True)
    return binding(subject.issuer, subject.id, purpose, selection.key, asked)


def _plainly(selection: Selection) -> list[Any]:
    """A selection as JSON values."""
    on = None if selection.on is None else sorted(selection.on)
    inner = [_plainly(one) for one in selection.selections]
    return [selection.key, selection.name, selection.args, on, inner]


def _check_size(plan: Plan, limits: Limits) -> None:
    if len(plan.visits) > limits.fetches:
        raise LimitExceeded.of("fetches", limits.fetches, len(plan.visits))
    depths: dict[str, int] = {}
    for fetch in plan.fetches:
        depths[fetch.id] = 1 + depths.get(fetch.parent or "", 0)
    if (waves := max(depths.values(), default=0)) > limits.waves:
        raise LimitExceeded.of("waves", limits.waves, waves)
    sources = len({fetch.source for fetch in plan.visits})
    if sources > limits.sources:
        raise LimitExceeded.of("sources", limits.sources, sources)


class _Planning:
    """One plan in the making."""

    def __init__(
        self, planner: Planner, operation: Operation, subject: Subject, now: datetime
    ) -> None:
        self.catalogue = planner.catalogue
        self.vocabulary = planner.catalogue.vocabulary
        self.refs = planner.refs
        self.limits = planner.limits
        self.operation = operation
        self.subject = subject
        self.now = now
        self.criteria = Criteria(self.vocabulary, self.limits, now)
        self.fetches: list[Fetch] = []
        self.not_held: list[tuple[str, str]] = []
        self.cursor_serial: int | None = None

    def plan(self) -> Plan:
        roots = tuple(
            self.root(selection)
            for selection in self.operation.roots
            if not selection.name.startswith("__") and selection.name != "sources"
        )
        fetches = tuple(self.fetches)
        self.look(roots)
        return Plan(
            roots=roots,
            fetches=fetches,
            looks=tuple(self.fetches[len(fetches) :]),
            cursor_serial=self.cursor_serial,
            not_held=tuple(dict.fromkeys(self.not_held)),
        )

    # --- roots ---

    def root(self, selection: Selection) -> RootPlan:
        root = self.vocabulary.roots[selection.name]
        limit = self.first(root, selection)
        where = self.where(root, selection)
        cursor = self.cursor(selection)
        inner, path = self.records(root, selection)
        face = root.shape == "face"
        uses = frozenset((Use.FILTER, f) for f in fields_of(where))
        uses = frozenset({(Use.FACE, "likeness")}) if face else uses
        made: list[str] = []
        not_held: list[str] = []
        for entity in self.entities(root, selection):
            for source in self.holders(root, selection, entity):
                mapping = source.entities[entity]
                after = cursor.positions.get(f"{source.id}/{entity}") if cursor else None
                if cursor is not None and after is None:
                    continue  # this source has given everything
                if not face and not askable(where, mapping, self.vocabulary):
                    not_held.append(source.id)
                    continue
                template = Fetch(
                    id="",
                    source=source.id,
                    entity=entity,
                    parts=(),
                    where=where,
                    limit=limit,
                    near=self.near(root, selection, source.id),
                    after=after,
                    root=selection.key,
                    path=path,
                )
                made.append(self.fetch(template, inner, uses))
        self.note_unheld(root, inner, path, made)
        return RootPlan(
            key=selection.key,
            name=selection.name,
            selection=selection,
            fetches=tuple(made),
            not_held=tuple(dict.fromkeys(not_held)),
        )

    def records(self, root: Root, selection: Selection) -> tuple[tuple[Selection, ...], str]:
        """What is selected of each record, and the response path of their list."""
        match root.shape:
            case "hits":
                inner, wrapper = child(selection.selections, "hits"), "hits"
                # What hangs on a person may depend on how surely it is that person, so records
                # are matched whether or not the match itself was asked for.
                links = self.vocabulary.entities[root.entity].links if root.matches else {}
                asked = {"matches", *links} & {s.name for s in (*selection.selections, *inner)}
                if asked:
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

    def entities(self, root: Root, selection: Selection) -> tuple[str, ...]:
        members = self.vocabulary.concrete(root.entity)
        by = selection.args.get("by") or {}
        kinds = by.get("kinds") if root.by else None
        return members if not kinds else tuple(m for m in members if m.upper() in kinds)

    def holders(self, root: Root, selection: Selection, entity: str) -> Iterator[Source]:
        holders = self.catalogue.holders(entity)
        if not root.by_ref:
            yield from holders
            return
        opened = self.refs.open(self.subject.agency, selection.args["ref"])
        for source in holders:
            if opened is not None and opened[:2] == (source.id, entity):
                yield source

    def first(self, root: Root, selection: Selection) -> int:
        if root.shape == "one":
            return 1
        name = "max_candidates" if root.shape == "face" else "first"
        first = selection.args.get(name)
        if first is None:
            return root.default_first
        if not 1 <= first <= root.max_first:
            raise LimitExceeded.of(camel(name), root.max_first, first)
        return int(first)

    def cursor(self, selection: Selection) -> Cursor | None:
        text = selection.args.get("after")
        if text is None:
            return None
        bound = cursor_binding(self.operation, self.subject, selection)
        cursor = self.refs.open_cursor(text, bound, self.now)
        if cursor is None:
            raise MalformedRequest("This cursor cannot be used: start again without `after`.")
        self.cursor_serial = cursor.serial
        return cursor

    def near(self, root: Root, selection: Selection, source: str) -> Near | None:
        if root.shape != "face":
            return None
        probe = selection.args["probe"]
        ref, handle = probe.get("ref"), probe.get("handle")
        if (ref is None) == (handle is None):
            raise InvalidOperation("A face probe is either a stored image's ref or a handle.")
        if ref is not None:
            opened = self.refs.open(self.subject.agency, ref)
            own = opened is not None and opened[:2] == (source, "ImageRef")
            return Near(ref_key=opened[2] if opened and own else "")
        return Near(handle=handle)

    def where(self, root: Root, selection: Selection) -> Condition:
        if root.by_ref:
            opened = self.refs.open(self.subject.agency, selection.args["ref"])
            return Compare("native_key", Op.EQ, opened[2]) if opened else ALWAYS
        return self.criteria.of_root(root, selection.args)

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
                    reading.use("", (Use.LINK, link.from_))
        for dotted in sorted({template.link_by, *fields_of(template.where)}):
            if "." in dotted:
                reading.found_by(dotted)
        for use, dotted in uses:
            if use is Use.FILTER:
                reading.filtered(dotted)
            else:
                reading.use("", (use, dotted))
        self.fetches[position] = replace(fetch, parts=reading.parts(), links=links)
        if len(self.fetches) > self.limits.fetches * 2:
            raise LimitExceeded.of("fetches", self.limits.fetches, "many more")
        return fetch_id

    def look(self, roots: Iterable[RootPlan]) -> None:
        """Add a visit of each source that is not searched and may know another bearer of an
        identifier: one that cannot apply the criteria, or that has given all its pages."""
        matching = (root for root in roots if self.vocabulary.roots[root.name].matches)
        found = {fetch_id for root in matching for fetch_id in root.fetches}
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
            where = self.criteria.of_link(link, selection.args, entity)
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
                    root=parent.root,
                    path=f"{parent.path}.{selection.key}" + (".*" if link.to.many else ""),
                )
                uses = {(Use.LINK, link.by), *((Use.FILTER, f) for f in fields_of(where))}
                made.append(self.fetch(template, inner, frozenset(uses)))
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
