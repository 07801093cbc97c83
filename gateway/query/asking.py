"""What the root fields of one operation ask, and which sources: all that depends on its values.

What follows from it and the document alone is `plan.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.conditions import ALWAYS, Compare, Condition, Op, fields_of
from gateway.catalogue.mapping import Catalogue, Source
from gateway.catalogue.schema import camel
from gateway.catalogue.vocabulary import Root
from gateway.errors import InvalidOperation, LimitExceeded, MalformedRequest
from gateway.model import EMPTY, Near, Operation, Selection, Subject
from gateway.query.criteria import Criteria
from gateway.query.refs import Refs, binding
from gateway.query.translate import askable


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one root field asks, its values in place, and which sources."""

    root: Root
    selection: Selection
    limit: int
    where: Condition
    visits: tuple[tuple[str, str], ...]  # (source, entity)
    not_held: tuple[str, ...]  # sources that hold the entity and cannot apply the criteria
    after: Mapping[tuple[str, str], Any]  # (source, entity) -> position
    near: Mapping[str, Near]  # by source

    @property
    def shape(self) -> Hashable:
        """All of it but the values."""
        return self.limit, fields_of(self.where), self.visits, bool(self.after)


class Asking:
    """Works out what the root fields of one operation ask."""

    def __init__(
        self,
        catalogue: Catalogue,
        refs: Refs,
        criteria: Criteria,
        operation: Operation,
        subject: Subject,
        now: datetime,
    ) -> None:
        self.catalogue = catalogue
        self.vocabulary = catalogue.vocabulary
        self.refs = refs
        self.operation = operation
        self.subject = subject
        self.now = now
        self.criteria = criteria
        self.cursor_serial: int | None = None

    def of(self, selection: Selection) -> Asked:
        root = self.vocabulary.roots[selection.name]
        limit = self.first(root, selection)
        where = self.where(root, selection)
        after = self.after(selection)
        visits: list[tuple[str, str]] = []
        not_held: list[str] = []
        for entity in self.entities(root, selection):
            for source in self.holders(root, selection, entity):
                if after is not None and after.get((source.id, entity)) is None:
                    continue  # this source has given everything
                mapping = source.entities[entity]
                if root.shape != "face" and not askable(where, mapping, self.vocabulary):
                    not_held.append(source.id)
                else:
                    visits.append((source.id, entity))
        near = {
            source: self.near(selection, source) for source, _ in visits if root.shape == "face"
        }
        return Asked(
            root=root,
            selection=selection,
            limit=limit,
            where=where,
            visits=tuple(visits),
            not_held=tuple(dict.fromkeys(not_held)),
            after=after or EMPTY,
            near=near,
        )

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

    def after(self, selection: Selection) -> dict[tuple[str, str], Any] | None:
        """Where each source that has more goes on; None for the first page."""
        text = selection.args.get("after")
        if text is None:
            return None
        bound = cursor_binding(self.operation, self.subject, selection)
        cursor = self.refs.open_cursor(text, bound, self.now)
        if cursor is None:
            raise MalformedRequest("This cursor cannot be used: start again without `after`.")
        self.cursor_serial = cursor.serial
        positions = cursor.positions.items()
        return {(at.partition("/")[0], at.partition("/")[2]): key for at, key in positions}

    def near(self, selection: Selection, source: str) -> Near:
        probe = selection.args["probe"]
        ref, handle = probe.get("ref"), probe.get("handle")
        if ref is None:
            return Near(handle=handle)
        opened = self.refs.open(self.subject.agency, ref)
        own = opened is not None and opened[:2] == (source, "ImageRef")
        return Near(ref_key=opened[2] if opened and own else "")

    def where(self, root: Root, selection: Selection) -> Condition:
        if root.shape == "face":
            probe = selection.args["probe"]
            if (probe.get("ref") is None) == (probe.get("handle") is None):
                raise InvalidOperation("A face probe is either a stored image's ref or a handle.")
        if root.by_ref:
            opened = self.refs.open(self.subject.agency, selection.args["ref"])
            return Compare("native_key", Op.EQ, opened[2]) if opened else ALWAYS
        return self.criteria.of_root(root, selection.args)


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
    return [selection.key, selection.name, dict(selection.args), on, inner]
