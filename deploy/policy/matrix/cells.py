"""What becomes of each field of a question: the gateway's own narrowing, a word for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.conditions import ALWAYS, And, Condition
from deploy.policy.words import BY_CONDITIONS, shown, words
from gateway.catalogue.schema import GIVEN, camel
from gateway.catalogue.vocabulary import Vocabulary
from gateway.errors import Refused
from gateway.model import (
    CLEAR,
    WHOLE,
    AuthorisedPlan,
    Decision,
    Fetch,
    Note,
    PartGrant,
    Plan,
    Ruling,
    Selection,
    Show,
    manners,
    resource_id,
)
from gateway.policy.enforce import authorise
from gateway.policy.masks import MASKS
from gateway.policy.obligations import OBLIGATIONS

RECORD = "(record)"
CONDITIONS = "(conditions)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the document in one agency's data, and its outcome."""

    place: str  # where the document asks for it: "Person at personSearch"
    field: str  # "identifiers.value"; RECORD for the record itself
    agency: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody sees of a plan, by one decision on it."""

    plan: Plan
    decision: Decision
    agencies: Mapping[str, str]
    vocabulary: Vocabulary
    own_desk: frozenset[str]  # outcomes whose desk is that of the agency that holds the data

    def guard(self) -> tuple[Condition, ...]:
        """What every record that tells anything satisfies, whatever its kind."""
        told = [
            _conjuncts(self.decision.rulings[fetch.id].rows)
            for fetch in self.plan.fetches
            if self.decision.rulings.get(fetch.id, Ruling()).show not in (None, Show.SILENT)
        ]
        return tuple(one for one in told[0] if all(one in rest for rest in told)) if told else ()

    def cells(self) -> Iterator[Cell]:
        """Every cell, in the document's order; of what a record's outcome leaves out, none."""
        agreed = self._agreed(self.plan)
        guard = self.guard()
        for fetch in self.plan.fetches:
            for name, outcome in self._fetch(fetch, agreed, guard):
                yield Cell(_place(self.plan, fetch), name, self.agencies[fetch.source], outcome)

    def _agreed(self, plan: Plan) -> AuthorisedPlan | Note:
        try:
            return authorise(
                plan, self.decision,
                masks=MASKS.keys(), duties=OBLIGATIONS.keys(), vocabulary=self.vocabulary,
            )  # fmt: skip
        except Refused as refused:
            return Note(rule=refused.rule, text=str(refused), desk=refused.contact)

    def _fetch(
        self, fetch: Fetch, agreed: AuthorisedPlan | Note, guard: tuple[Condition, ...]
    ) -> Iterator[tuple[str, str]]:
        if isinstance(agreed, Note):  # nothing is left of the question: why, for each visit
            alone = self._agreed(Plan(fetches=(fetch,))) if fetch.parent is None else None
            yield RECORD, self.said("WITHHELD", alone) if isinstance(alone, Note) else "NOT ASKED"
        elif fetch.id in agreed.silent:
            yield RECORD, "SILENT"
        elif (note := agreed.withheld.get(fetch.id)) is not None:
            yield RECORD, self.said("WITHHELD", note)
        elif (grant := agreed.grants.get(fetch.id)) is None:
            yield RECORD, "NOT ASKED"
        else:
            own = grant.own
            rest = [one for one in _conjuncts(own.rows) if one not in guard]
            where = f" where {words(And(tuple(rest)))}" if rest else ""
            shows = "RECORDS" if own.show is Show.RECORDS else self._shown(own)
            yield RECORD, shows + where
            if own.show is Show.RECORDS:
                yield from self._bound(CONDITIONS, own)
                if own.read.get("ref") != CLEAR:
                    yield "ref", self._field(fetch, own, "ref")
                if CLEAR in manners(own.read.get("ref")):  # else never more than a hit
                    yield from self._selected(fetch, "", fetch.selections, grant.parts)

    def _selected(
        self,
        fetch: Fetch,
        path: str,
        selections: tuple[Selection, ...],
        parts: Mapping[str, PartGrant],
    ) -> Iterator[tuple[str, str]]:
        grant = parts[path]
        for selection in selections:
            at = f"{path}.{selection.name}" if path else selection.name
            name = ".".join(map(camel, at.split(".")))
            if (inner := parts.get(at)) is not None and selection.selections:
                yield from self._component(fetch, name, inner, selection, parts)
            elif selection.name in grant.part.reads and selection.name not in GIVEN:
                yield name, self._field(fetch, grant, selection.name)

    def _component(
        self,
        fetch: Fetch,
        name: str,
        grant: PartGrant,
        selection: Selection,
        parts: Mapping[str, PartGrant],
    ) -> Iterator[tuple[str, str]]:
        if grant.show is not Show.RECORDS:
            yield name, self._shown(grant)
            return
        if grant.rows != ALWAYS:
            yield name, f"ELEMENTS where {words(grant.rows)}{self._by(grant.standing or Note())}"
        yield from self._bound(f"{name} {CONDITIONS}", grant)
        yield from self._selected(fetch, grant.part.path, selection.selections, parts)

    def _bound(self, name: str, grant: PartGrant) -> Iterator[tuple[str, str]]:
        """That a record or an element may be a hit by its owner's conditions."""
        if grant.whole != CLEAR:
            yield name, self.said(BY_CONDITIONS, grant.note(WHOLE))

    def _field(self, fetch: Fetch, grant: PartGrant, name: str) -> str:
        manner = grant.read.get(name)
        note = grant.note(name)
        if manner is None:
            ruling = self.decision.rulings.get(resource_id(fetch.id, grant.part.path), Ruling())
            tells = " as it would tell what is not clear" if name in ruling.read else ""
            return self.said(f"WITHHELD{tells}", note)
        return CLEAR if manner == CLEAR else self.said(shown(manner), note)

    def _shown(self, grant: PartGrant) -> str:
        if grant.show is Show.SILENT:
            return "SILENT"
        if grant.show is Show.COUNT:
            also = f", and of how many {' '.join(sorted(map(camel, grant.count)))}"
            return self.said(f"COUNT{also if grant.count else ''}", grant.note())
        return self.said("HIT" if grant.show is Show.HIT else "WITHHELD", grant.note())

    def said(self, word: str, note: Note) -> str:
        """An outcome with the rule and the desk that go with it."""
        return f"{word}{self._by(note)}"

    def _by(self, note: Note) -> str:
        own = note.rule.rpartition(":")[2] in self.own_desk
        return f" ({note.rule}; {'owner' if own else note.desk})" if note.rule else ""


def _place(plan: Plan, fetch: Fetch) -> str:
    """Where the document asks for it; a root by its name in the schema and by no alias."""
    [root] = [one for one in plan.roots if fetch.id in one.fetches or one.key == fetch.root]
    steps = [step for step in fetch.path.split(".")[1:] if step not in ("*", "hits", "candidates")]
    return f"{fetch.entity} at {'.'.join((camel(root.name), *steps))}"


def _conjuncts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, And) else (condition,)
